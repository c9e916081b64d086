"""How likely each allowed value was where an answer writes one of them, read off the steps of its
generation."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Weights = dict[str, float]  # by value; they sum to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A token of an answer in its bytes, and the likeliest tokens that could have stood there, each
    with its probability."""

    chosen: bytes
    likely: Sequence[tuple[bytes, float]]


def value_likelihoods(
    steps: Sequence[Step], weighed: Mapping[str, Sequence[str]]
) -> dict[str, Weights]:
    """The likelihood of each value, by the name of the member that has it.

    A token counts for the values that can go on as it does, and the tokens that fit no value are
    left out. Values that begin with the same token are told apart by the tokens behind it, as far
    as the answer went that way; where it went another, they share what that token was worth.

    :param weighed: the values that may stand there, by the member's name; the first member of that
        name counts.
    :returns: nothing for a member that the answer does not have, or where no value was in sight.
    """
    found: dict[str, Weights] = {}
    for name, values in weighed.items():
        place = _place(steps, name)
        if place is not None:
            first, lead = place
            weights = _walk(steps[first:], {value: lead + _written(value) for value in values})
            if weights:
                found[name] = weights
    return found


def _place(steps: Sequence[Step], name: str) -> tuple[int, bytes] | None:
    """The step that writes the first letter of the member's value, and what that token holds before
    it."""
    opening = re.compile(rb'(?<!\\)"' + re.escape(_written(name)) + rb'\s*:\s*"')
    text = b""
    for number, step in enumerate(steps):
        before, text = len(text), text + step.chosen
        if match := opening.search(text):
            inside = match.end() < len(text)
            return (number, text[before : match.end()]) if inside else (number + 1, b"")
    return None


def _written(text: str) -> bytes:
    """As JSON has it, with the quote behind it."""
    return json.dumps(text, ensure_ascii=False)[1:].encode()


def _walk(steps: Sequence[Step], written: Mapping[str, bytes]) -> Weights:
    weights = dict.fromkeys(written, 0.0)
    alive, so_far, mass = list(written), b"", 1.0
    for step in steps:
        going_on = _going_on(step, so_far, {value: written[value] for value in alive})
        whole = sum(probability for _, probability in going_on.values())
        if not whole:
            break
        for token, (values, probability) in going_on.items():
            if token != step.chosen:
                _share(mass * probability / whole, values, weights)
        if step.chosen not in going_on:  # it wrote what is none of the values
            mass = 0.0
            break
        alive, probability = going_on[step.chosen]
        so_far, mass = so_far + step.chosen, mass * probability / whole
        if len(alive) == 1:
            break
    if so_far:
        _share(mass, alive, weights)
    return weights if any(weights.values()) else {}


def _going_on(
    step: Step, so_far: bytes, written: Mapping[str, bytes]
) -> dict[bytes, tuple[list[str], float]]:
    """The tokens with which some value goes on: these values, and the token's probability."""
    found: dict[bytes, tuple[list[str], float]] = {}
    for token, probability in step.likely:
        text = so_far + token
        values = [value for value, whole in written.items() if _fits(text, whole)]
        if token and values:
            found[token] = (values, probability)
    return found


def _fits(text: bytes, whole: bytes) -> bool:
    return whole.startswith(text) or text.startswith(whole)


def _share(mass: float, values: Sequence[str], weights: Weights) -> None:
    for value in values:
        weights[value] += mass / len(values)
