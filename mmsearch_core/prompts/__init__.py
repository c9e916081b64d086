"""The prompts, as data: one YAML file each, with the JSON schema of the answer, hashed into recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Any

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt file. ``digest`` is the sha256 of its bytes, so any edit, a comment too, makes another recipe."""

    name: str
    system: str
    user: str
    answer: Mapping[str, Any] | None
    labels: tuple[str, str] | None
    digest: str

    def text(self, **values: str) -> str:
        """The user part with its ``$names`` filled in; KeyError if one is missing."""
        return Template(self.user).substitute(values)


@cache
def load(name: str) -> Prompt:
    """The prompt ``name``, from the file ``name.yaml`` beside this one."""
    data = files(__name__).joinpath(f"{name}.yaml").read_bytes()
    fields = yaml.safe_load(data)
    labels = fields.get("labels")
    return Prompt(
        name=name,
        system=fields["system"],
        user=fields["user"],
        answer=fields.get("answer"),
        labels=(labels[0], labels[1]) if labels else None,
        digest=sha256(data).hexdigest(),
    )
