"""The sample catalog: the same for the same seed, complete, and silent about what its products look
like."""

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from PIL import Image

from mmsearch_core.demo.catalog import write_sample
from mmsearch_core.demo.judged import grade
from mmsearch_core.demo.language import (
    Wish,
    describe_answer,
    standardize,
    standardize_answer,
    typed,
    wish_for,
)
from mmsearch_core.demo.picture import draw, garments
from mmsearch_core.demo.vocabulary import CATEGORIES, TERMS, Look, every_look
from mmsearch_core.records.query import Constraint
from mmsearch_core.stages.search.judged_queries import read_judged

PRODUCTS = 18  # one is an outfit


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, products=PRODUCTS)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def feed(folder: Path) -> list[dict[str, object]]:
    return [
        json.loads(line) for line in (folder / "catalog/products.jsonl").read_text().splitlines()
    ]


def test_the_same_seed_makes_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, products=PRODUCTS)
    assert files(tmp_path) == files(sample)


def test_another_seed_makes_other_pictures(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path, products=PRODUCTS, seed=8)
    assert (
        files(tmp_path)["catalog/pictures/p0001/1.jpg"]
        != files(sample)["catalog/pictures/p0001/1.jpg"]
    )


def test_every_product_has_a_feed_line_a_truth_and_a_picture(sample: Path) -> None:
    named = {str(line["product_id"]) for line in feed(sample)}
    truth = json.loads((sample / "truth.json").read_text())
    pictured = {path.parent.name for path in (sample / "catalog/pictures").rglob("*.jpg")}
    assert named == set(truth) == pictured
    assert len(named) == PRODUCTS
    assert all(
        value in TERMS[name]
        for looks in truth.values()
        for look in looks
        for name, value in look.items()
    )


def test_pictures_open_and_one_is_a_copy_under_another_name(sample: Path) -> None:
    pictures = [path.read_bytes() for path in (sample / "catalog/pictures").rglob("*.jpg")]
    assert {Image.open(io.BytesIO(picture)).size for picture in pictures} == {
        (320, 320),
        (640, 320),
    }
    assert len(set(pictures)) == len(pictures) - 1


def test_films_and_size_charts_are_those_that_the_truth_tells_of(sample: Path) -> None:
    pictures = sample / "catalog/pictures"
    films, charts = (
        json.loads((sample / f"{name}.json").read_text()) for name in ("films", "charts")
    )
    assert {path.parent.name for path in pictures.rglob("*.mp4")} == set(films)
    assert {path.parent.name for path in pictures.rglob("*.pdf")} == set(charts)
    assert all(len(changes) >= 2 for changes in films.values())
    with_text = {
        path.parent.name for path in pictures.rglob("*.pdf") if pymupdf.open(path)[0].get_text()
    }
    assert (len(films), len(with_text), len(set(charts) - with_text)) == (3, 2, 2)


def test_what_is_uploaded_never_says_what_a_product_looks_like(sample: Path) -> None:
    words = {
        word.lower()
        for terms in TERMS.values()
        for term in terms.values()
        for word in (term.en, term.zh, *term.typed_en, *term.typed_zh)
        if len(word.encode()) > 3  # a single Chinese character may stand in a brand's name
    }
    said = " ".join(
        [
            *(json.dumps(line, ensure_ascii=False) for line in feed(sample)),
            *files(sample / "catalog"),
        ]
    )
    assert [word for word in words if word in said.lower()] == []
    assert not (sample / "catalog/truth.json").exists()


def test_the_log_covers_two_weeks_in_both_languages_with_a_robot(sample: Path) -> None:
    days = sorted((sample / "queries").glob("*.jsonl"))
    lines = [json.loads(line) for day in days for line in day.read_text().splitlines()]
    sessions = [line["session"] for line in lines]
    assert len(days) == 14
    assert {line["locale"] for line in lines} == {"en", "zh"}
    assert max(sessions.count(session) for session in set(sessions)) > 100
    assert {"red striped dress", "红色连衣裙", "dress not red"} <= {line["query"] for line in lines}


def test_over_two_hundred_queries_of_every_kind_are_judged_in_both_languages(sample: Path) -> None:
    judged = read_judged(sample / "judged")
    kinds = Counter(query.kind for query in judged)
    assert set(kinds) == {"text", "not", "or", "absent", "picture", "changed"}
    assert {query.asked.locale for query in judged} == {"en", "zh"}
    assert all(query.asked.picture for query in judged if query.kind in {"picture", "changed"})
    assert all(2 not in query.grades.values() for query in judged if query.kind == "absent")
    assert all(2 in query.grades.values() for query in judged if query.kind != "absent")
    stocked = {str(line["product_id"]) for line in feed(sample) if line["in_stock"]}
    assert {product for query in judged for product in query.grades} <= stocked


@pytest.mark.integration
def test_a_large_catalog_holds_real_files_outfits_and_copies(tmp_path: Path) -> None:
    write_sample(tmp_path, products=400)
    pictures = list((tmp_path / "catalog/pictures").rglob("*.jpg"))
    assert 300 <= len(pictures) <= 600
    real = [path.relative_to(tmp_path) for path in (tmp_path / "catalog").rglob("p9*/*")]
    assert Counter(path.suffix for path in real) == {".jpg": 2, ".mp4": 2}
    # copies under other names
    assert len({path.read_bytes() for path in pictures}) == len(pictures) - 10
    garments_of = Counter(map(len, json.loads((tmp_path / "truth.json").read_text()).values()))
    assert (garments_of[2], garments_of[3]) == (17, 8)
    assert Counter(query.kind for query in read_judged(tmp_path / "judged"))["absent"] == 20
    assert len(read_judged(tmp_path / "judged")) == 220


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (("dress", "red", "striped"), 2),
        (("dress", "red", "plain"), 1),
        (("dress", "blue", "plain"), 0),
        (("shirt", "red", "striped"), 0),
    ],
)
def test_grades_follow_the_wish(look: tuple[str, str, str], expected: int) -> None:
    wanted = {"category": "dress", "color": "red", "pattern": "striped"}
    wish = Wish(
        constraints=tuple(
            Constraint(attribute=name, values=(value,)) for name, value in wanted.items()
        )
    )
    seen = Look(**dict(zip(wanted, look, strict=True)))
    assert grade([seen], wish) == expected
    assert grade([seen, Look(**wanted)], wish) == 2


def test_what_a_wish_excludes_is_worth_nothing() -> None:
    dress = Constraint(attribute="category", values=("dress",))
    not_red = Constraint(attribute="color", values=("red",), exclude=True)
    wish = Wish(constraints=(dress, not_red))
    red, blue = (Look(category="dress", color=color, pattern="plain") for color in ("red", "blue"))
    assert [grade([look], wish) for look in (red, blue)] == [0, 2]
    assert grade([red, blue], wish) == 2


def test_every_category_has_sixty_photographs() -> None:
    assert garments().shape == (len(CATEGORIES), 60, 28, 28)
    assert all(band.any(axis=(1, 2)).all() for band in garments())


@pytest.mark.parametrize(("color", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_the_tint_is_seen(color: str, channel: int) -> None:
    look = Look(category="dress", color=color, pattern="plain")
    pixels = np.asarray(
        draw(garments()[3, 0], look, np.random.default_rng(1), size=96), dtype=float
    )
    middle = pixels[40:60, 44:52].mean(axis=(0, 1))
    assert middle.argmax() == channel
    assert pixels[0, 0].min() > 200  # the ground is light


def test_typed_queries_and_answers_agree_with_what_was_wished() -> None:
    rng = np.random.default_rng(3)
    for look in every_look()[::40]:
        wish = wish_for(look, rng)
        answer = json.loads(
            standardize_answer(standardize(typed(wish, "zh", rng), wish.constraints))
        )
        assert wish.fits(look)
        assert [tuple(c["values"]) for c in answer["constraints"]] == [
            c.values for c in wish.constraints
        ]
        assert json.loads(describe_answer(look))["attributes"] == look.attributes()
