"""The prompts, as data: one YAML file each, with the JSON schema of the answer, hashed into
recipes. What shops and shoppers wrote is cleaned here before it becomes part of a question."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Any

import yaml

LONGEST = 2_000  # characters of a value; what the models say of a picture or a query is shorter
# Unicode categories: control characters (line breaks, tabs), line and paragraph separators
BREAKS = (
    "Cc",
    "Zl",
    "Zp",
)
# Unicode categories: format characters (direction, tags), halves of surrogate pairs
UNSEEN = (
    "Cf",
    "Cs",
)
JOINERS = "\u200c\u200d"  # format characters that belong to words (Persian, Hindi) and to emoji


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt file. ``digest`` is the sha256 of what it says, so that an edit makes another
    recipe, and a comment or another layout does not."""

    name: str
    system: str
    user: str
    answer: Mapping[str, Any] | None
    labels: tuple[str, str] | None
    most_tokens: int | None  # of an answer; None: as the model's settings say
    digest: str

    def text(self, **values: str) -> str:
        """The user part with its ``$names`` filled in, cleaned; KeyError if one is missing."""
        return Template(self.user).substitute(
            {name: self.clean(value) for name, value in values.items()}
        )

    def clean(self, value: str) -> str:
        """``value`` as it may stand in this prompt: on one line, of bounded length, without
        invisible characters and without the words that introduce the parts of this prompt
        ("Query:"). Ordinary text stays as it is."""
        visible = "".join(_visible(character) for character in value)
        return self._introductions.sub(r"\1 ", visible)[:LONGEST].strip()

    @property
    def _introductions(self) -> re.Pattern[str]:
        """The words before the places of values, each with its colon."""
        words = re.findall(r"(\w+): *\$", self.user)
        alternatives = "|".join(map(re.escape, words)) or r"(?!)"
        return re.compile(rf"\b({alternatives})\s*[:\uff1a]\s*", re.IGNORECASE)


@cache
def load(name: str) -> Prompt:
    """The prompt ``name``, from the file ``name.yaml`` beside this one."""
    return parsed(name, files(__name__).joinpath(f"{name}.yaml").read_bytes())


def parsed(name: str, data: bytes) -> Prompt:
    """The prompt that a file says."""
    fields = yaml.safe_load(data)
    labels = fields.get("labels")
    said = json.dumps(fields, ensure_ascii=False)  # in its order, which is that of answers
    return Prompt(
        name=name,
        system=fields["system"],
        user=fields["user"],
        answer=fields.get("answer"),
        labels=(labels[0], labels[1]) if labels else None,
        most_tokens=fields.get("most_tokens"),
        digest=sha256(said.encode()).hexdigest(),
    )


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in BREAKS:
        return " "
    return "" if kind in UNSEEN and character not in JOINERS else character
