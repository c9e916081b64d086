"""Errors inside a model that runs in this process: the fault of one item, of too large a batch, or
of the device."""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeVar

from mmsearch_core.errors import BadRecord, BadSettings, EngineAway, EngineBroke, UnusableAnswer

In = TypeVar("In")
Out = TypeVar("Out")
Fault = Literal["memory", "device", "item"]

# How PyTorch and the libraries below it begin or name their errors. Most of them are a plain
# RuntimeError.
OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
OF_THE_DEVICE = (
    "CUDA error",
    "CUDA driver error",
    "CUDA runtime error",
    "device-side assert",
    "CUBLAS_STATUS",
    "CUSOLVER_STATUS",
    "CUFFT",
    "cuDNN error",
    "CUDNN_STATUS",
    "CUDNN_BACKEND",
    "NCCL",
    "HIP error",
    "Triton Error",
    "illegal memory access",
    "No CUDA GPUs are available",
    "Found no NVIDIA driver",
    "CUDA unknown error",
    "driver on your system is too old",
)
# What libraries raise on input that they did not expect. Anything else (TypeError, KeyError, …) is
# a bug of ours.
ON_INPUT = (ValueError, RuntimeError, IndexError, OSError, MemoryError)


def fault(error: BaseException) -> Fault:
    """Whose fault an error inside a model is: "memory" was short, which a smaller batch may help;
    the "device" is broken, which only a new process can help; or the "item" cannot be done."""
    text = str(error)
    if (
        isinstance(error, MemoryError)
        or any(mark in text for mark in OF_MEMORY)
        or _is(error, "OutOfMemoryError")
    ):
        return "memory"
    if any(mark in text for mark in OF_THE_DEVICE) or _is(error, "AcceleratorError"):
        return "device"
    return "item"


def one_by_one_if_need_be(
    work: Callable[[Sequence[In]], Sequence[Out]], items: Sequence[In], *, model: str
) -> list[Out | BadRecord]:
    """``work(items)``, one answer per item in order. A batch that fails is done again in halves, so
    that neither one bad item nor a batch too large for the memory costs the others.

    Raises EngineBroke where the device is broken, or one item alone finds no memory; ``model``
    names the setting.
    """
    if not items:
        return []
    try:
        return list(work(items))
    except ON_INPUT as error:
        whose, kind = fault(error), type(error).__name__
        if whose == "device" or (whose == "memory" and len(items) == 1):
            raise EngineBroke(_sentence(whose, model, error)) from error
    if len(items) == 1:
        return [UnusableAnswer(f"The model of {model} refused this input ({kind}).")]
    # after the error and its frames are gone: they hold the tensors of the batch that failed
    _free_memory()
    middle = len(items) // 2
    first = one_by_one_if_need_be(work, items[:middle], model=model)
    return first + one_by_one_if_need_be(work, items[middle:], model=model)


def while_loading(error: Exception, model: str) -> EngineAway | None:
    """The error to raise where a model could not be loaded because the device is broken or full;
    None where the cause is another. ``model`` names the setting."""
    whose = fault(error)
    return EngineAway(_sentence(whose, model, error)) if whose != "item" else None


@contextmanager
def on_device(model: str, device: str) -> Iterator[None]:
    """While the weights of a model go to a device. Raises EngineAway where the device is broken or
    full, BadSettings where there can be no such device."""
    try:
        yield
    except (RuntimeError, AssertionError, MemoryError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        no_device = BadSettings(f"models.device ({device}) cannot be used ({reason}): correct it.")
        raise (while_loading(error, model) or no_device) from error


def _sentence(whose: Fault, model: str, error: BaseException) -> str:
    reason = (str(error).splitlines() or [""])[0][:200]
    if whose == "memory":
        what, mend = "found no memory", "lower models.batch, or see who else uses the device"
    else:
        what, mend = "lost its device", "look at the GPU and its driver"
    return f"The model of {model} {what} ({reason}): nobody is charged; {mend}."


def _is(error: BaseException, name: str) -> bool:
    """Whether it is PyTorch's exception of that name, without loading PyTorch."""
    kind = getattr(sys.modules.get("torch"), name, None)
    return isinstance(kind, type) and isinstance(error, kind)


def _free_memory() -> None:
    """Give back what PyTorch keeps of the batch that failed."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
