"""No answer comes from anywhere but the picture and the query: take them away, and quality falls to
chance."""

import io

import pytest
from PIL import Image

from mmsearch_core.adapters.open_clip_embedder import OpenClipEmbedder
from mmsearch_core.adapters.transformers_vlm import TransformersVLM
from mmsearch_core.demo.language import caption
from mmsearch_core.demo.training.quality import (
    Picture,
    describing,
    embedded,
    finding,
    held_out,
    judging,
)
from mmsearch_core.settings import Models

pytestmark = pytest.mark.integration
CHANCE = {"describe_category": 0.1, "describe_color": 0.1, "describe_pattern": 0.25}


@pytest.fixture(scope="module")
def vlm() -> TransformersVLM:
    return TransformersVLM(Models())


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """Each category, color and pattern equally often."""
    return held_out(11)[::5]


def greyed(pictures: list[Picture]) -> list[Picture]:
    """The same sizes and the same truth, and nothing to see."""
    made = []
    for data, look in pictures:
        with Image.open(io.BytesIO(data)) as picture:
            grey = Image.new("RGB", picture.size, (128, 128, 128))
        out = io.BytesIO()
        grey.save(out, "JPEG")
        made.append((out.getvalue(), look))
    return made


def test_of_grey_pictures_nothing_is_known(vlm: TransformersVLM, pictures: list[Picture]) -> None:
    seen = {figure.name: figure.value for figure in describing(vlm, pictures)[0]}
    blind = {figure.name: figure.value for figure in describing(vlm, greyed(pictures))[0]}
    for name, chance in CHANCE.items():
        assert blind[name] <= chance + 0.05
        assert seen[name] >= chance + 0.4


def test_with_the_queries_exchanged_the_judge_knows_nothing(
    vlm: TransformersVLM, pictures: list[Picture]
) -> None:
    _, said = describing(vlm, pictures)
    assert judging(vlm, pictures, said, seed=3).value >= 0.7
    assert 0.4 <= judging(vlm, pictures, said, seed=3, exchanged=True).value <= 0.6


def test_grey_pictures_are_not_found(pictures: list[Picture]) -> None:
    clip = OpenClipEmbedder(Models())
    texts = [caption(look)["en"] for _, look in pictures]
    found = {
        name: finding(lambda items: embedded(clip, items), [data for data, _ in shown], texts)
        for name, shown in {"seen": pictures, "blind": greyed(pictures)}.items()
    }
    assert found["blind"] <= 10 / len(pictures) + 0.05
    assert found["seen"] >= 0.6
