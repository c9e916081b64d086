"""What a command works with, by the settings of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmsearch_core.settings import load_settings
from mmsearch_core.wiring.parts import Parts

if TYPE_CHECKING:
    from mmsearch_core.wiring.batches import Runtime


def parts() -> Parts:
    """The parts alone: no stage is imported."""
    return Parts(load_settings())


def runtime() -> Runtime:
    """All of it: targets, stages and the search line."""
    from mmsearch_core.wiring.batches import Runtime

    return Runtime(load_settings())
