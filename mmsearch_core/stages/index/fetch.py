"""An asset's file, exactly as the plan saw it."""

import errno
from pathlib import Path

from mmsearch_core.errors import PreconditionFailed, SourceChanged, TryLater
from mmsearch_core.ports.stores import ObjectStore
from mmsearch_core.records.asset import ObjectRef


def fetch(catalog: ObjectStore, source: ObjectRef, path: Path) -> SourceChanged | None:
    """Download the object of this version to a file; SourceChanged is returned where it is another
    object by now, and TryLater raised where the disk is full."""
    try:
        catalog.download(source, path)
    except PreconditionFailed:
        return SourceChanged(
            f"{source.key} changed after it was planned: the next refresh takes it up."
        )
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise TryLater(
            f"{path.parent} is full: free space, or let TMPDIR name another folder."
        ) from error
    return None
