"""``python -m mmsearch_core.cli`` is ``mmsearch``."""

from mmsearch_core.cli.app import main

if __name__ == "__main__":
    main()
