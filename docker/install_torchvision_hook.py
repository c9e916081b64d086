"""Puts torchvision_hook.py into this interpreter's site-packages, where torch is a CPU build and
torchvision is not.

Run with the environment's own python. Safe to repeat; takes the hook out again where it is no
longer needed.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
SITE = Path(sysconfig.get_paths()["purelib"])
HOOK = SITE / "torchvision_hook.py"
START = SITE / "mmsearch_torchvision.pth"
NEEDED = "m.version('torchvision'); assert torch.version.cuda is None"


def imports(code: str) -> bool:
    """Whether ``code`` runs in a fresh interpreter."""
    return (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode
        == 0
    )


def main() -> None:
    """Decide as if no hook were there, then install it or leave it out."""
    START.unlink(missing_ok=True)
    HOOK.unlink(missing_ok=True)
    if not imports(f"import torch, importlib.metadata as m; {NEEDED}"):
        print(
            "torchvision hook: not needed (torch has CUDA, or torch or torchvision is not"
            " installed)"
        )
    elif imports("import torchvision"):
        print("torchvision hook: not needed (torchvision imports)")
    else:
        shutil.copyfile(HERE / "torchvision_hook.py", HOOK)
        START.write_text("import torchvision_hook; torchvision_hook.install()\n")
        works = imports("import torchvision")
        print(
            "torchvision hook:"
            f" installed{'' if works else ', yet torchvision still fails'} ({SITE})"
        )
        sys.exit(0 if works else 1)


if __name__ == "__main__":
    main()
