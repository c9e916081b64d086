"""What the steps of an answer say of the values that could stand there."""

from collections.abc import Sequence

import pytest

from mmsearch_core.adapters.value_likelihoods import Step, value_likelihoods

VALUES = ("shirt", "shorts", "coat")


def step(chosen: str, **likely: float) -> Step:
    return Step(
        chosen=chosen.encode(),
        likely=[(token.encode(), probability) for token, probability in likely.items()],
    )


def steps(*texts: str) -> list[Step]:
    """Steps of which nothing but the outcome is known."""
    return [Step(chosen=text.encode(), likely=[(text.encode(), 1.0)]) for text in texts]


def weights(*answer: Step, values: Sequence[str] = VALUES) -> dict[str, float]:
    return value_likelihoods(answer, {"kind": values}).get("kind", {})


OPENING = steps('{"', "kind", '": "')


def test_tokens_that_go_on_with_no_value_are_left_out() -> None:
    found = weights(*OPENING, step("coat", coat=0.4, shirt=0.1, dog=0.3, shorts=0.0), *steps('"}'))
    assert found == {"shirt": pytest.approx(0.2), "shorts": 0, "coat": pytest.approx(0.8)}


def test_values_that_begin_alike_are_told_apart_behind_that() -> None:
    found = weights(
        *OPENING, step("sh", sh=0.9, coat=0.1), step("irt", irt=0.6, orts=0.2), *steps('"}')
    )
    assert found == {
        "shirt": pytest.approx(0.9 * 0.75),
        "shorts": pytest.approx(0.9 * 0.25),
        "coat": pytest.approx(0.1),
    }


def test_values_that_begin_alike_share_what_was_not_gone_into() -> None:
    found = weights(*OPENING, step("coat", coat=0.6, sh=0.4), *steps('"}'))
    assert found == {
        "shirt": pytest.approx(0.2),
        "shorts": pytest.approx(0.2),
        "coat": pytest.approx(0.6),
    }


def test_a_token_may_hold_the_quote_before_the_value_and_what_follows_it() -> None:
    """Qwen's tokens do."""
    likely = {'"coat': 0.7, '"shirt","': 0.3, '"co': 0.0, "coat": 0.5}
    found = weights(*steps('{"kind":'), step('"coat', **likely), *steps('","a":"b"}'))
    assert found == {"coat": pytest.approx(0.7), "shirt": pytest.approx(0.3), "shorts": 0}


def test_a_value_that_begins_another_ends_with_its_quote() -> None:
    values = ("coat", "coat dress")
    short = weights(
        *OPENING, step("coat", coat=1.0), step('"', **{'"': 0.8, " dress": 0.2}), values=values
    )
    assert short == {"coat": pytest.approx(0.8), "coat dress": pytest.approx(0.2)}


def test_several_tokens_may_begin_one_value() -> None:
    found = weights(*OPENING, step("c", c=0.2, co=0.2, coat=0.2, shirt=0.4), *steps("oat", '"}'))
    assert found == {"coat": pytest.approx(0.6), "shirt": pytest.approx(0.4), "shorts": 0}


def test_chinese_values_may_be_cut_within_a_letter() -> None:
    first, second = "衬衫".encode(), "衬衣".encode()
    cut = [Step(chosen=first[:4], likely=[(first[:4], 0.9), (b"coat", 0.1)])]
    rest = Step(chosen=first[4:], likely=[(first[4:], 0.5), (second[4:], 0.5)])
    found = weights(*OPENING, *cut, rest, *steps('"}'), values=("衬衫", "衬衣", "coat"))
    assert found == {
        "衬衫": pytest.approx(0.45),
        "衬衣": pytest.approx(0.45),
        "coat": pytest.approx(0.1),
    }


def test_what_was_written_may_be_none_of_the_values() -> None:
    """The others are weighed among themselves."""
    found = weights(*OPENING, step("boot", boot=0.9, coat=0.06, shirt=0.04), *steps('"}'))
    assert found == {"coat": pytest.approx(0.6), "shirt": pytest.approx(0.4), "shorts": 0}


@pytest.mark.parametrize(
    "answer",
    [
        [],
        steps('{"other": "coat"}'),
        steps('{"kind": 3}'),
        [*OPENING, step("boot", boot=1.0), *steps('"}')],
        OPENING,
        steps('{"text": "\\"kind\\": \\"', "coat", '"}'),
    ],
)
def test_nothing_is_said_where_no_value_was_in_sight(answer: list[Step]) -> None:
    assert weights(*answer) == {}


def test_an_answer_that_was_cut_off_says_what_it_said_until_then() -> None:
    found = weights(*OPENING, step("sh", sh=0.8, coat=0.2))
    assert found == {
        "shirt": pytest.approx(0.4),
        "shorts": pytest.approx(0.4),
        "coat": pytest.approx(0.2),
    }


def test_members_are_weighed_each_for_itself() -> None:
    answer = [
        *OPENING,
        step("coat", coat=1.0),
        *steps('", "color": "'),
        step("red", red=0.9, blue=0.1),
    ]
    found = value_likelihoods(answer, {"color": ("red", "blue"), "kind": VALUES, "size": ("S",)})
    assert found.keys() == {"color", "kind"}
    assert found["color"] == {"red": pytest.approx(0.9), "blue": pytest.approx(0.1)}
