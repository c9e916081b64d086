"""The shop's vocabulary, as data: a YAML file that the shop owns. ``sample.yaml`` beside this one
is the sample shop's, and says what each part means."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mmsearch_core.errors import BadSettings
from mmsearch_core.records.vocabulary import Attribute, Gains, Value, Vocabulary

SHIPPED = ("sample",)
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,30}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Value(BaseModel):
    """All members but ``id`` are words by language."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, tuple[Word, ...]]

    id: Word


class _Attribute(_Part):
    name: Name
    source: Literal["picture"] = Field(alias="from")
    kind: Literal["closed"]
    soft: bool
    values: Annotated[tuple[_Value, ...], Field(min_length=2, max_length=200)]


class _Grades(_Part):
    fits: Annotated[float, Field(gt=0)]
    near: Annotated[float, Field(ge=0)]


class _File(_Part):
    languages: Annotated[tuple[Language, ...], Field(min_length=1)]
    grades: _Grades
    attributes: Annotated[tuple[_Attribute, ...], Field(min_length=1)]


@cache
def load(name: str) -> Vocabulary:
    """The vocabulary that ``search.vocabulary`` names: a shipped one by its name, or a file.

    :raises BadSettings: there is none, or it says what cannot be meant; in one sentence.
    """
    if name in SHIPPED:
        return parsed(name, files(__name__).joinpath(f"{name}.yaml").read_bytes())
    try:
        return parsed(name, Path(name).read_bytes())
    except OSError as error:
        raise BadSettings(
            f"search.vocabulary ({name}) cannot be read: name a file, or one of"
            f" {', '.join(SHIPPED)}."
        ) from error


def parsed(name: str, data: bytes) -> Vocabulary:
    """The vocabulary that a file says; BadSettings as in ``load``."""
    try:
        said = _File.model_validate(yaml.safe_load(data))
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise BadSettings(f"The vocabulary {name} is no YAML ({reason}): correct it.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadSettings(
            f"The vocabulary {name} says at {place} what it cannot mean ({first['msg']}):"
            " correct it."
        ) from error
    vocabulary = Vocabulary(
        languages=said.languages,
        attributes=tuple(map(_attribute, said.attributes)),
        gains=Gains(fits=said.grades.fits, near=said.grades.near),
    )
    _check(name, vocabulary)
    return vocabulary


def _attribute(said: _Attribute) -> Attribute:
    values = [Value(value_id=one.id, words=one.__pydantic_extra__) for one in said.values]
    return Attribute(
        name=said.name, source=said.source, kind=said.kind, soft=said.soft, values=tuple(values)
    )


def _check(name: str, vocabulary: Vocabulary) -> None:
    """BadSettings for what each part allows and the whole does not."""
    names = [attribute.name for attribute in vocabulary.attributes]
    _once(name, names, "the attribute")
    for attribute in vocabulary.attributes:
        _once(name, attribute.ids, f"{attribute.name}: the value")
        for value in attribute.values:
            unknown = sorted(value.words.keys() - set(vocabulary.languages))
            if unknown:
                raise BadSettings(
                    f"The vocabulary {name} has words of {value.value_id} in {unknown[0]}, which is"
                    " none of its languages: add it to languages, or take the words out."
                )
    if vocabulary.gains.near > vocabulary.gains.fits:
        raise BadSettings(
            f"The vocabulary {name} grades what is near higher than what fits: correct grades."
        )


def _once(name: str, words: tuple[str, ...] | list[str], what: str) -> None:
    for word in words:
        if words.count(word) > 1:
            raise BadSettings(f"The vocabulary {name} has {what} {word} twice: take one out.")
