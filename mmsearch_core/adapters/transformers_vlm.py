"""Qwen3-VL through transformers: for laptops, CPUs and tests, and for whatever vLLM cannot load."""

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeVar

from more_itertools import flatten, map_reduce

from mmsearch_core.adapters.engine_errors import on_device, one_by_one_if_need_be, while_loading
from mmsearch_core.adapters.model_name import find_model
from mmsearch_core.adapters.value_likelihoods import Step, value_likelihoods
from mmsearch_core.errors import BadRecord, BadSettings
from mmsearch_core.records.question import Answer, Frame, Question
from mmsearch_core.settings import Models

Said = TypeVar("Said")

# of a picture or two frames, one for every 32 x 32 pixels
PADS = re.compile(r"(<\|(?:image|video)_pad\|>)+")
LIKELIEST = 64  # tokens that are remembered of each step of an answer
CLOCK = 1_000  # ticks a second, in which the times of frames are given
# Chat-template marks in a shop's or a shopper's text must not become marks of ours
MARKS = re.compile(r"<\|[^|<>]*\|>")


class TransformersVLM:
    """Loads on the first question; greedy, so equal questions have equal answers.

    Its name says all that decides an answer: weights and precision (float32 where it says nothing).
    ``max_new_tokens`` decides none: an answer that is cut off fits no schema, is a failure, and is
    never remembered.
    """

    def __init__(self, settings: Models) -> None:
        self._settings = settings
        self._source = find_model("models.vlm", settings.vlm, settings.vlm_revision)
        self.name = self._source.name + (
            "" if settings.dtype == "float32" else f" {settings.dtype}"
        )

    def as_read(self, question: Question) -> str:
        """The tokens that the model is given, as text."""
        (tokens,) = self._tokens([question])["input_ids"]
        return PADS.sub(r"\1", self._processor.tokenizer.decode(tokens))

    def answer(self, questions: Sequence[Question]) -> list[Answer | BadRecord]:
        """Generate under each question's JSON schema; together those that are bounded alike."""
        answers: dict[int, Answer | BadRecord] = {}
        for places in map_reduce(range(len(questions)), lambda n: _bounds(questions[n])).values():
            said = self._bisect(self._generate, [questions[place] for place in places])
            answers.update(zip(places, said, strict=True))
        return [answers[place] for place in range(len(questions))]

    def weigh(
        self, questions: Sequence[Question], labels: Sequence[str]
    ) -> list[tuple[float, ...] | BadRecord]:
        """Softmax over the labels' logits at the first token of the answer."""
        ids = self._label_ids(labels)

        def score(batch: Sequence[Question]) -> list[tuple[float, ...]]:
            import torch

            with torch.inference_mode():
                logits = self._model(**self._inputs(batch), logits_to_keep=1).logits[:, -1].float()
            return [tuple(of_one) for of_one in torch.softmax(logits[:, ids], dim=-1).tolist()]

        return self._bisect(score, questions)

    def _generate(self, questions: Sequence[Question]) -> list[Answer]:
        import torch
        from xgrammar.contrib.hf import LogitsProcessor

        inputs = self._inputs(questions)
        grammars = [self._grammar(question) for question in questions]
        likeliest = _Likeliest()
        # before the grammar: what it forbids was likely or not all the same
        watching = [likeliest] if any(question.weighed for question in questions) else []
        with torch.inference_mode():
            made = self._model.generate(
                **inputs,
                max_new_tokens=questions[0].most_tokens or self._settings.max_new_tokens,
                do_sample=False,
                logits_processor=[*watching, LogitsProcessor(grammars)],
            )
        tokens = made[:, inputs["input_ids"].shape[1] :]
        texts = self._processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        answers: list[Answer] = []
        for place, question in enumerate(questions):
            steps = self._steps(tokens[place], likeliest, place) if question.weighed else []
            weights = value_likelihoods(steps, question.weighed)
            answers.append(Answer(text=texts[place], likelihoods=weights))
        return answers

    def _steps(self, tokens: Any, likeliest: "_Likeliest", place: int) -> list[Step]:
        """The steps of one answer of a batch."""
        steps: list[Step] = []
        for token, (ids, probabilities) in zip(tokens.tolist(), likeliest.of(place), strict=True):
            likely = list(zip(map(self._bytes_of, ids), probabilities, strict=True))
            steps.append(Step(chosen=self._bytes_of(token), likely=likely))
        return steps

    def _bytes_of(self, token: int) -> bytes:
        """A token as it is written; nothing for one that stands for no text."""
        if token not in self._written:
            letters = self._processor.tokenizer.convert_ids_to_tokens(token) or ""
            known = all(letter in self._byte_of for letter in letters)
            self._written[token] = bytes(map(self._byte_of.__getitem__, letters)) if known else b""
        return self._written[token]

    @cached_property
    def _written(self) -> dict[int, bytes]:
        return {}

    @cached_property
    def _byte_of(self) -> dict[str, int]:
        """The bytes that the letters of a byte-level vocabulary stand for."""
        from transformers.convert_slow_tokenizer import bytes_to_unicode

        return {letter: byte for byte, letter in bytes_to_unicode().items()}

    def _inputs(self, questions: Sequence[Question]) -> Any:
        return self._tokens(questions).to(self._model.device)

    def _tokens(self, questions: Sequence[Question]) -> Any:
        chats = [_chat(question) for question in questions]
        texts = self._processor.apply_chat_template(
            chats, tokenize=False, add_generation_prompt=True
        )
        pixels: dict[str, Any] = {}
        pictures = [_opened(frame) for frame in _pictures(questions)]
        if pictures:
            pixels["images"] = pictures
            if most := questions[0].most_pixels:
                least = self._processor.image_processor.size["shortest_edge"]
                size = {"shortest_edge": min(least, most), "longest_edge": most}
                pixels["images_kwargs"] = {"size": size}
        videos = [_at_least_two(asked.frames) for asked in questions if asked.is_of_a_video]
        if videos:
            pixels["videos"] = [_opened_all(frames) for frames in videos]
            pixels["video_metadata"] = [_times(frames) for frames in videos]
            # the frames are those that were chosen; and as large as Qwen's own code makes them
            pixels.update(do_sample_frames=False, cap_pixels_per_frame=True)
        return self._processor(text=texts, **pixels, padding=True, return_tensors="pt")

    def _bisect(
        self, work: Callable[[Sequence[Question]], list[Said]], questions: Sequence[Question]
    ) -> list[Said | BadRecord]:
        """One bad question, or too large a batch, never costs the others; a broken device costs
        nobody."""
        return one_by_one_if_need_be(work, questions, model="models.vlm")

    def _label_ids(self, labels: Sequence[str]) -> list[int]:
        ids = [
            self._processor.tokenizer.encode(label, add_special_tokens=False) for label in labels
        ]
        if any(len(tokens) != 1 for tokens in ids):
            raise BadSettings(
                f"The labels {labels} are not single tokens for models.vlm: change"
                " prompts/judge.yaml."
            )
        return list(flatten(ids))

    def _grammar(self, question: Question) -> Any:
        schema = json.dumps(question.schema)
        if schema not in self._grammars:
            self._grammars[schema] = self._compiler.compile_json_schema(
                schema, any_whitespace=False
            )
        return self._grammars[schema]

    @cached_property
    def _grammars(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _compiler(self) -> Any:
        from xgrammar import GrammarCompiler, TokenizerInfo

        vocabulary = self._model.config.get_text_config().vocab_size
        return GrammarCompiler(
            TokenizerInfo.from_huggingface(self._processor.tokenizer, vocab_size=vocabulary)
        )

    @cached_property
    def _processor(self) -> Any:
        from transformers import AutoProcessor

        processor = self._load(AutoProcessor.from_pretrained)
        processor.tokenizer.padding_side = "left"
        return processor

    @cached_property
    def _model(self) -> Any:
        import torch
        from transformers import Qwen3VLForConditionalGeneration
        from transformers.utils import logging

        logging.disable_progress_bar()  # a task's log is no terminal
        dtype = getattr(torch, self._settings.dtype)
        model = self._load(
            Qwen3VLForConditionalGeneration.from_pretrained, dtype=dtype, use_safetensors=True
        )
        with on_device("models.vlm", self._settings.device):
            return model.to(self._settings.device).eval()

    def _load(self, loader: Callable[..., Any], **options: Any) -> Any:
        try:
            return loader(
                self._source.place, revision=self._source.commit, trust_remote_code=False, **options
            )
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            if away := while_loading(error, "models.vlm"):
                raise away from error
            reason = str(error).splitlines()[0]
            raise BadSettings(
                f"models.vlm ({self._settings.vlm}) cannot be loaded ({reason}): name a folder or a"
                " hub id that this machine has or can fetch."
            ) from error


class _Likeliest:
    """A logits processor that changes nothing and remembers the likeliest tokens of each step, as
    the model weighs them."""

    def __init__(self) -> None:
        self._steps: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002 of the protocol
        likely = scores.float().softmax(dim=-1).topk(min(LIKELIEST, scores.shape[-1]), dim=-1)
        self._steps.append((likely.indices, likely.values))
        return scores

    def of(self, place: int) -> Iterator[tuple[list[int], list[float]]]:
        """The tokens and their probabilities, step by step, of one answer of the batch."""
        for ids, probabilities in self._steps:
            yield ids[place].tolist(), probabilities[place].tolist()


def _bounds(question: Question) -> tuple[int | None, int | None]:
    return question.most_pixels, question.most_tokens


def _chat(question: Question) -> list[dict[str, Any]]:
    """The conversation; its pixels are given beside it, in the same order."""
    if question.is_of_a_video:
        content: list[dict[str, Any]] = [{"type": "video"}]
    else:
        content = [{"type": "image"} for _ in question.frames]
    content.append({"type": "text", "text": MARKS.sub(" ", question.text)})
    return [
        {"role": "system", "content": [{"type": "text", "text": question.system}]},
        {"role": "user", "content": content},
    ]


def _pictures(questions: Sequence[Question]) -> Iterator[Frame]:
    for question in questions:
        if not question.is_of_a_video:
            yield from question.frames


def _opened(frame: Frame) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(frame.jpeg)).convert("RGB")


def _opened_all(frames: Sequence[Frame]) -> list[Any]:
    return [_opened(frame) for frame in frames]


def _at_least_two(frames: Sequence[Frame]) -> Sequence[Frame]:
    """The processor refuses a video of one frame: it is shown twice, as the last of an odd number
    is."""
    return frames if len(frames) > 1 else [*frames, *frames]


def _times(frames: Sequence[Frame]) -> Any:
    """When each frame is shown, as the processor wants to be told: the number of a frame of a video
    that has ``CLOCK`` of them a second. Any times can be said so, uniform or not."""
    from transformers.video_utils import VideoMetadata

    ticks = [round(CLOCK * (frame.seconds or 0)) for frame in frames]
    return VideoMetadata(total_num_frames=ticks[-1] + 1, fps=CLOCK, frames_indices=ticks)
