"""The shop's words: what a file may say, and the sentence for whatever it may not."""

from pathlib import Path

import pytest
import yaml

from mmsearch_core.demo.vocabulary import TERMS
from mmsearch_core.errors import BadSettings
from mmsearch_core.vocabulary import load, parsed

SAMPLE = load("sample")


def test_the_sample_shops_words_are_those_of_its_catalog() -> None:
    """Its pictures, queries and models were made of these."""
    for attribute in SAMPLE.attributes:
        terms = TERMS[attribute.name]
        assert attribute.ids == tuple(terms)
        for value in attribute.values:
            term = terms[value.value_id]
            assert value.words.get("en", ()) == term.typed_en
            assert value.words["zh"] == (term.zh, *term.typed_zh)
    assert [attribute.name for attribute in SAMPLE.attributes] == list(TERMS)


def test_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(yaml.safe_dump(small()))
    assert load(str(path)).attributes[0].ids == ("wool", "silk")


def small(**changes: object) -> dict[str, object]:
    attribute = {
        "name": "material",
        "from": "picture",
        "kind": "closed",
        "soft": True,
        "values": [{"id": "wool", "en": ["woollen"]}, {"id": "silk"}],
    }
    said = {"languages": ["en"], "grades": {"fits": 2, "near": 1}, "attributes": [attribute]}
    return {**said, **changes}


def of(*values: object) -> list[dict[str, object]]:
    kept = {"name": "material", "from": "picture", "kind": "closed", "soft": True}
    return [{**kept, "values": list(values)}]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (small(grades={"fits": 1, "near": 2}), "grades what is near higher than what fits"),
        (small(grades={"fits": 0, "near": 0}), r"at grades\.fits"),
        (small(languages=[]), "at languages"),
        (small(attributes=[]), "at attributes"),
        (small(colour="red"), "at colour"),
        (small(attributes=of({"id": "wool"})), r"at attributes\.0\.values"),
        (
            small(attributes=of({"id": "wool"}, {"id": "wool"})),
            "has material: the value wool twice",
        ),
        (
            small(attributes=of({"id": "wool", "zh": ["羊毛"]}, {"id": "silk"})),
            "words of wool in zh",
        ),
        (small(attributes=of({"id": "wool", "en": "woollen"}, {"id": "silk"})), r"values\.0\.en"),
        (small(attributes=[*of({"id": "a"}, {"id": "b"})] * 2), "has the attribute material twice"),
        ("just words", "at the file"),
        (None, "at the file"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(said: object, sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence) as raised:
        parsed("words.yaml", yaml.safe_dump(said).encode())
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


def test_what_is_no_yaml_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="is no YAML"):
        parsed("words.yaml", b"a: [")
    with pytest.raises(BadSettings, match=r"search\.vocabulary .* cannot be read: name a file"):
        load(str(tmp_path / "absent.yaml"))
