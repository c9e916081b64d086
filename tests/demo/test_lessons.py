"""What the small Qwen3-VL learns from: what is said of films and scans is what they show."""

import numpy as np
import pytest

from mmsearch_core.demo.film import Change, Film
from mmsearch_core.demo.size_chart import letters
from mmsearch_core.demo.training.films import (
    BEGINS,
    ENDS,
    GOES_ON,
    NOTHING,
    Reel,
    answer,
    clock,
    hints,
    moments,
    times_of,
)
from mmsearch_core.demo.training.pictures import Pool
from mmsearch_core.demo.training.scans import scans
from mmsearch_core.demo.vocabulary import Look

RED = Look(category="dress", color="red", pattern="plain")
CHANGES = (
    Change(start=1.0, end=2.3, what="color", value="blue"),
    Change(start=3.0, end=4.3, what="turn"),
)


@pytest.fixture
def reel() -> Reel:
    film = Film(look=RED, seconds=6.0, changes=CHANGES, pose=5)
    times = times_of(film, shot_at=24.0)
    return Reel(film=film, frames=np.zeros((len(times), 8, 8, 3), np.uint8), times=times)


def test_two_frames_say_what_goes_on(reel: Reel) -> None:
    seen = [(moment.what, moment.phase) for moment in moments(reel)]
    assert [what for what, _ in seen].count("color") == 3
    assert [phase for _, phase in seen if phase != NOTHING] == [BEGINS, GOES_ON, ENDS] * 2
    assert [moment.color for moment in moments(reel)] == ["red"] * 4 + ["blue"] * 8
    numbers = [moment.number for moment in moments(reel)]
    assert numbers == sorted(numbers)
    assert set(numbers) == {0, 1, 2}


def test_an_event_starts_and_ends_at_times_the_model_is_told(reel: Reel) -> None:
    told = clock(np.array(reel.times) + 7.0)
    said = answer(reel, 7.0)
    for phase, word in ((BEGINS, '"start": '), (ENDS, '"end": ')):
        places = [place for place, moment in enumerate(moments(reel)) if moment.phase == phase]
        assert [f"{word}{told[place]}," in said for place in places] == [True, True]


def test_a_hint_says_the_time_and_what_is_seen(reel: Reel) -> None:
    first, *_, last = hints(reel, 7.0)
    assert first[:3] == ["0", "7", "1"]
    assert first[3:] == ["red", "plain", NOTHING, "0", NOTHING]
    assert last[3:] == ["blue", "plain", NOTHING, "2", NOTHING]


@pytest.mark.parametrize("small", [True, False])
def test_the_letters_of_a_scan_are_those_of_its_chart(small: bool) -> None:
    for scan in scans(6, seed=3, small=small):
        wide = scan.picture.shape[1] // 32
        squares = [square.letters for square in scan.squares]
        assert len(squares) == wide * (scan.picture.shape[0] // 32)
        assert set("".join(squares)) <= set(letters())
        said = [text for row in scan.chart.rows for text in row]
        said += [scan.chart.heading] if scan.heading else []
        shown = sorted("".join(squares).replace(" ", ""))
        assert shown == sorted("".join(said).replace(" ", ""))


@pytest.mark.parametrize("small", [True, False])
def test_the_squares_of_a_cell_hold_its_text(small: bool) -> None:
    for scan in scans(6, seed=4, small=small):
        shown: dict[tuple[int, int] | None, list[str]] = {}
        for square in scan.squares:
            shown.setdefault(square.cell, []).extend(square.letters.replace(" ", ""))
        outside = scan.chart.heading if scan.heading else ""
        assert sorted(shown.pop(None)) == sorted("".join(outside.split()))
        # a line may stand in two squares, one above the other
        assert {cell: sorted(texts) for cell, texts in shown.items()} == {
            (row, column): sorted("".join(text.split()))
            for row, texts in enumerate(scan.chart.rows)
            for column, text in enumerate(texts)
        }


@pytest.mark.integration
def test_the_eyes_are_shown_what_the_processor_shows() -> None:
    import torch

    from mmsearch_core.demo.training.eyes import patches
    from mmsearch_core.demo.training.vlm_parts import make_processor, train_tokenizer

    processor = make_processor(train_tokenizer(["red"]))
    films = torch.randint(0, 256, (3, 2, 96, 96, 3), dtype=torch.uint8)
    seen = processor.video_processor(
        videos=[film.permute(0, 3, 1, 2) for film in films],
        do_sample_frames=False,
        return_tensors="pt",
        cap_pixels_per_frame=True,
    )
    assert torch.allclose(patches(films), seen["pixel_values_videos"], atol=1e-5)


@pytest.mark.integration
def test_a_square_is_told_its_row_its_column_and_what_its_cell_says() -> None:
    from mmsearch_core.demo.training.batches import IMAGE, UNSAID, Batches
    from mmsearch_core.demo.training.samples import corpus
    from mmsearch_core.demo.training.vlm_parts import make_model, make_processor, train_tokenizer

    picture = Pool(pictures=np.zeros((1, 96, 96, 3), np.uint8), looks=[RED])
    processor = make_processor(train_tokenizer(corpus(7)))
    (scan,) = scans(1, seed=5, small=True)
    positions = make_model(processor.tokenizer).model.get_rope_index
    inputs = Batches(processor, picture, positions).make_scans([scan])
    image = processor.tokenizer.convert_tokens_to_ids(IMAGE)
    (places,) = (inputs["input_ids"][0] == image).nonzero(as_tuple=True)
    # what is said at a place is the label of the next one
    told = inputs["hints"][:, 0, places + 1].T.tolist()
    for square, tokens in zip(scan.squares, told, strict=True):
        said = [processor.tokenizer.decode([token]) for token in tokens if token != UNSAID]
        if square.cell is None:
            assert said == [NOTHING]
            continue
        row, column = square.cell
        assert said[:2] == [str(row), str(column)]
        assert "".join(said[2:]).replace(NOTHING, "") == scan.chart.rows[row][column]


@pytest.mark.integration
@pytest.mark.parametrize("sides", [(4, 4, 4), (4, 6, 2)], ids=["of one size", "of several"])
def test_pictures_are_seen_as_transformers_sees_them(sides: tuple[int, ...]) -> None:
    import torch

    from mmsearch_core.demo.training.attention import at_once
    from mmsearch_core.demo.training.vlm_parts import make_model, train_tokenizer

    tower = make_model(train_tokenizer(["red"])).model.visual
    grids = torch.tensor([(2, side, side) for side in sides])
    patches = torch.randn(int(grids.prod(1).sum()), 3 * 2 * 16 * 16)
    theirs = tower(patches, grid_thw=grids).pooler_output
    at_once(tower)
    assert torch.allclose(tower(patches, grid_thw=grids).pooler_output, theirs, atol=1e-5)
