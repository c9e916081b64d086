"""`make demo-models`: trains the three models from nothing, one after the other; a killed run
continues where it was.

The tiny Qwen3-VL learns in three parts: its vision tower to tell looks apart, to see motion and to
read letters, its text tower to standardize and to judge by the description, then both together on
the production prompts. The last part is for a GPU: a quarter of an hour there, days without one.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

# where the package dataset-fashion-mnist puts it
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def commands(data: Path, out: Path) -> list[list[str]]:
    """Each training as the arguments of its module."""
    pictures = ["--data", str(data), "--kept", str(out)]
    eyes, words = (
        ["--eyes", str(out / "eyes/eyes.pt")],
        ["--start", str(out / "words/checkpoint.pt")],
    )
    moving = ["--films=4000", "--scans=8000"]
    large = [*moving, "--film-batch=64", "--batch=128", "--steps=6000", "--rate=1e-3"]
    return [
        ["sbert", "--out", str(out / "sbert")],
        ["clip", "--out", str(out / "clip"), *pictures],
        ["eyes", "--out", str(out / "eyes"), *pictures, *moving, "--steps=3000"],
        ["vlm", "--out", str(out / "words"), *pictures, "--words", "--batch=96", "--steps=2000"],
        ["vlm", "--out", str(out / "vlm"), *pictures, *eyes, *words, *large],
    ]


def main() -> None:
    """Train what is not trained yet, and put the models where ``make quality MODELS=...`` finds
    them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=DEBIAN, help="folder with Fashion-MNIST's idx files"
    )
    parser.add_argument("--out", type=Path, default=Path("build/train"))
    args = parser.parse_args()
    if not (args.data / "train-images-idx3-ubyte.gz").exists():
        sys.exit(
            f"There is no Fashion-MNIST in {args.data}: apt install dataset-fashion-mnist, or name"
            " its folder: --data."
        )
    args.out.mkdir(parents=True, exist_ok=True)
    for module, *options in commands(args.data, args.out):
        print(f"training {module} {' '.join(options)}", flush=True)
        subprocess.run([sys.executable, "-m", f"{__package__}.{module}", *options], check=True)
    for name, folder in {"qwen3vl": "vlm/model", "clip": "clip", "sbert": "sbert/model"}.items():
        unwanted = shutil.ignore_patterns("checkpoint.*")
        shutil.copytree(
            args.out / folder, args.out / "models" / name, ignore=unwanted, dirs_exist_ok=True
        )
    print(
        f"Trained: `make quality MODELS={args.out / 'models'}` measures them as it measures those"
        " that are shipped."
    )


if __name__ == "__main__":
    main()
