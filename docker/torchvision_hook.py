"""Lets a CUDA build of torchvision be imported beside a CPU build of torch.

Its compiled part cannot load there, and ``import torchvision`` dies with "operator torchvision::nms
does not exist". Declaring the two operators it asks for is enough: nothing of ours calls them. A
start-up hook, because engines import torchvision in child processes; nothing is imported at
interpreter start, only when torchvision is.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[
    object
] = []  # a torch.library.Library takes its operators with it when it is collected


def declare() -> None:
    """Declare the operators that are absent, on a torch without CUDA only."""
    import torch

    if torch.version.cuda is not None or _declared:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, signature in OPERATORS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + signature)
    _declared.append(library)


class Finder(MetaPathFinder):
    """Finds torchvision as usual, and has the operators declared just before its code runs."""

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:  # type: ignore[no-untyped-def]
        if fullname != "torchvision":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def declare_and_run(module: ModuleType) -> None:
            declare()
            run(module)

        spec.loader.exec_module = declare_and_run  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Called by the .pth file."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
