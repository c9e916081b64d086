"""What the tiny Qwen3-VL is asked and what it is to answer: samples of each production prompt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmsearch_core.demo.film import film_of, happens
from mmsearch_core.demo.language import (
    Wish,
    describe,
    describe_answer,
    film_answer,
    page_answer,
    scan_answer,
    standardize,
    standardize_answer,
    typed,
    wish_for,
)
from mmsearch_core.demo.size_chart import MEASURES, size_chart
from mmsearch_core.demo.table_requests import request_answer, table_request
from mmsearch_core.demo.vocabulary import TERMS, Look, every_look
from mmsearch_core.prompts import load
from mmsearch_core.records.description import Event

Sample = tuple[int | None, str, str, str]  # number of the picture, system, question, answer

FILM, SCAN, PAGE = "describe_video", "read_page", "describe_page"
CONFUSED = {
    "t-shirt": "shirt",
    "shirt": "pullover",
    "pullover": "coat",
    "coat": "pullover",
    "dress": "coat",
}


def describe_sample(place: int, look: Look, _: np.random.Generator, __: float) -> Sample:
    """A picture and what is seen in it."""
    prompt = load("describe")
    return place, prompt.system, prompt.text(), describe_answer(look)


def standardize_sample(_: int, look: Look, rng: np.random.Generator, __: float) -> Sample:
    """What was typed and what was meant."""
    prompt = load("standardize")
    wish, locale = wish_for(look, rng), str(rng.choice(["en", "zh"]))
    text = typed(wish, locale, rng)
    return (
        None,
        prompt.system,
        prompt.text(query=text),
        standardize_answer(standardize(text, wish.constraints)),
    )


def judge_sample(place: int, look: Look, rng: np.random.Generator, progress: float) -> Sample:
    """A product and a query; first negatives differ in everything, later in one attribute.

    What follows "no" is never asked for: naming the constraint that fails teaches where to look.
    """
    prompt = load("judge")
    seen, fits = look, bool(rng.random() < 0.5)
    if (
        rng.random() < 0.06 and look.category in CONFUSED
    ):  # a description that errs, as real ones do
        seen = Look(category=CONFUSED[look.category], color=look.color, pattern=look.pattern)
    wish = wish_that(look, rng, fits=fits, progress=progress)
    query = standardize("", wish.constraints)
    text = prompt.text(description=describe(seen).judged_text, query=query.judged_text)
    failing = [c.attribute for c in wish.constraints if not Wish(constraints=(c,)).fits(look)]
    return place, prompt.system, text, f"no: {failing[0]}" if failing else "yes"


def wish_that(look: Look, rng: np.random.Generator, *, fits: bool, progress: float) -> Wish:
    """A wish that the look fulfils; or one of an unlike look, that it does not fulfil."""
    while True:
        wish = wish_for(look if fits else unlike(look, rng, progress), rng)
        if wish.fits(look) == fits:
            return wish


def unlike(look: Look, rng: np.random.Generator, progress: float) -> Look:
    """Another look; the share of those that differ in one attribute only grows with progress."""
    names = list(TERMS)
    changed = names if rng.random() > 2 * progress else [str(rng.choice(names))]
    others = {
        name: str(rng.choice([value for value in TERMS[name] if value != getattr(look, name)]))
        for name in changed
    }
    return Look(**{**look.attributes(), **others})


def request_sample(_: int, __: Look, rng: np.random.Generator, ___: float) -> Sample:
    """What somebody wants to know of tables and what it means."""
    prompt = load("table_filter")
    columns, request, conditions = table_request(rng)
    text = prompt.text(columns=", ".join(columns), request=request)
    return None, prompt.system, text, request_answer(conditions)


TASKS: dict[str, Callable[[int, Look, np.random.Generator, float], Sample]] = {
    "describe": describe_sample,
    "standardize": standardize_sample,
    "judge": judge_sample,
    "table_filter": request_sample,
}


def corpus(seed: int) -> list[str]:
    """Text to learn tokens from: every prompt and many answers."""
    rng = np.random.default_rng(seed)
    looks = every_look()
    samples = [
        make(0, looks[number % 400], rng, 1.0) for make in TASKS.values() for number in range(1200)
    ]
    return (
        [text for _, *texts in samples for text in texts]
        + [text for number in range(1200) for text in film_texts(looks[number % 400], rng)]
        + [text for _ in range(1200) for text in scan_texts(rng)]
        + ["system\n", "user\n", "assistant\n"] * 1200
    )


def film_texts(look: Look, rng: np.random.Generator) -> list[str]:
    """What is said to the model and what it says of a film."""
    prompt = load("describe_video")
    film = film_of(look, rng, changes=3)
    events = [
        Event(start=change.start, end=change.end, text=happens(change)) for change in film.changes
    ]
    return [prompt.system, prompt.text(), "<1.2 seconds>", film_answer(look, events)]


def scan_texts(rng: np.random.Generator) -> list[str]:
    """What is said to the model and what it says of a scan."""
    chart = size_chart(str(rng.choice(list(MEASURES))), rng)
    prompts = [load(PAGE), load(SCAN)]
    said = [text for prompt in prompts for text in (prompt.system, prompt.text())]
    answers = [scan_answer(chart, heading=heading) for heading in (True, False)]
    return [*said, page_answer(), *answers]
