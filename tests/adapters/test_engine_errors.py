"""Errors inside models: a smaller batch where memory is short, one failure where an item cannot be
done, and nobody's fault where the device is broken. The models are stand-ins that raise what
PyTorch raises."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from mmsearch_core.adapters.engine_errors import on_device, one_by_one_if_need_be
from mmsearch_core.adapters.open_clip_embedder import OpenClipEmbedder
from mmsearch_core.adapters.sbert_embedder import SbertEmbedder
from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.errors import BadRecord, BadSettings, EngineAway, EngineBroke, UnusableAnswer
from mmsearch_core.records.question import Question
from mmsearch_core.settings import Models

NO_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
    ),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
)
BROKEN = (
    RuntimeError("CUDA error: device-side assert triggered"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx(...)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
    RuntimeError("NCCL Error 2: unhandled system error"),
    torch.AcceleratorError("HIP error: the operation cannot be performed in the present state"),
)
REFUSED = (
    RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
    ValueError("too long"),
)


class Model:
    """Raises ``error`` for a batch over ``most`` items, and for one that holds what ``refuses``."""

    def __init__(self, error: Exception, *, most: int = 0, refuses: str = "") -> None:
        self.error, self.most, self.refuses = error, most, refuses
        self.sizes: list[int] = []

    def look(self, items: Sequence[str]) -> list[np.ndarray]:
        self.sizes.append(len(items))
        if (self.most and len(items) > self.most) or any(
            self.refuses and self.refuses in item for item in items
        ):
            raise self.error
        return [np.eye(4, dtype=np.float32)[len(item) % 4] for item in items]

    def encode(self, texts: Sequence[str], **_: Any) -> np.ndarray:
        return np.stack(self.look(texts))

    def encode_text(self, texts: Any, *, normalize: bool) -> torch.Tensor:
        return torch.from_numpy(self.encode(texts))


class Texts(list[str]):
    """What a tokenizer makes, here: it stays text, and goes to no device."""

    def to(self, _: str) -> "Texts":
        return self


def by_sbert(model: Model) -> Callable[[list[str]], list[Any]]:
    embedder = SbertEmbedder(Models())
    embedder._model = model
    return lambda texts: embedder.embed(texts)


def by_clip(model: Model) -> Callable[[list[str]], list[Any]]:
    embedder = OpenClipEmbedder(Models())
    embedder._parts = (model, None, Texts)
    return lambda texts: embedder.embed(texts)


def by_vlm(model: Model) -> Callable[[list[str]], list[Any]]:
    vlm = TransformersVLM(Models())

    def generate(questions: list[Question]) -> list[str]:
        return ["{}" for _ in model.look([question.text for question in questions])]

    vlm._generate = generate  # type: ignore[method-assign,assignment]
    return lambda texts: vlm.answer([Question(system="", text=text, schema={}) for text in texts])


ENGINES = pytest.mark.parametrize("engine", [by_sbert, by_clip, by_vlm])
TEXTS = [f"dress {'x' * number}" for number in range(8)]


@ENGINES
@pytest.mark.parametrize("error", NO_MEMORY, ids=str)
def test_a_batch_that_finds_no_memory_is_done_in_smaller_ones(
    engine: Any, error: Exception
) -> None:
    model = Model(error, most=2)
    answers = engine(model)(TEXTS)
    assert not [answer for answer in answers if isinstance(answer, BadRecord)]
    assert model.sizes == [8, 4, 2, 2, 4, 2, 2]


@ENGINES
@pytest.mark.parametrize("error", NO_MEMORY, ids=str)
def test_one_item_that_finds_no_memory_is_the_environments_fault(
    engine: Any, error: Exception
) -> None:
    with pytest.raises(
        EngineBroke, match=r"^The model of models\.\w+ found no memory .* nobody is charged"
    ):
        engine(Model(error, refuses="dress"))(TEXTS)


@ENGINES
@pytest.mark.parametrize("error", BROKEN, ids=str)
def test_a_broken_device_is_not_asked_again(engine: Any, error: Exception) -> None:
    """A CUDA error stays: every further call of the process would fail, and each record would be
    charged for it."""
    model = Model(error, refuses="dress")
    with pytest.raises(EngineBroke, match=r"lost its device"):
        engine(model)(TEXTS)
    assert len(model.sizes) == 1


@ENGINES
@pytest.mark.parametrize("error", REFUSED, ids=str)
def test_one_item_that_a_model_refuses_costs_itself(engine: Any, error: Exception) -> None:
    answers = engine(Model(error, refuses="xxxxx"))([*TEXTS[:6], "short"])
    assert [isinstance(answer, UnusableAnswer) for answer in answers] == [False] * 5 + [True, False]


@pytest.mark.parametrize("engine", [by_sbert, by_clip])
def test_a_vector_that_is_none_comes_back_as_an_error(engine: Any) -> None:
    class Overflows(Model):
        def look(self, items: Sequence[str]) -> list[np.ndarray]:
            return [np.full(4, np.nan if len(item) % 2 else 0, dtype=np.float32) for item in items]

    assert all(
        isinstance(answer, UnusableAnswer) for answer in engine(Overflows(ValueError()))(TEXTS)
    )


def test_a_bug_of_ours_is_not_hidden() -> None:
    def work(_: Sequence[int]) -> list[int]:
        raise TypeError("a bug")

    with pytest.raises(TypeError):
        one_by_one_if_need_be(work, [1, 2], model="models.vlm")


def test_a_model_that_does_not_fit_waits_and_a_device_that_cannot_be_is_a_setting() -> None:
    with pytest.raises(EngineAway, match="no memory"), on_device("models.vlm", "cuda"):
        raise torch.OutOfMemoryError("CUDA out of memory.")
    for device in ("cuda", "cudaa"):
        with pytest.raises(BadSettings, match=r"models\.device"), on_device("models.vlm", device):
            raise AssertionError("Torch not compiled with CUDA enabled")
