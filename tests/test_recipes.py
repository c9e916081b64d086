"""A recipe cannot be forgotten: who changes the code that decides a stage's output decides about
its version too."""

import pytest

from tests.recipes import COMMAND, DECIDING, FILE, RECIPES, normal, recorded, today


def test_every_stage_with_a_recipe_has_its_code_named() -> None:
    assert set(DECIDING) == set(RECIPES) == set(recorded())


@pytest.mark.parametrize("recipe", RECIPES)
def test_code_that_decides_an_output_changes_with_its_version(recipe: str) -> None:
    now, then = today()[recipe], recorded()[recipe]
    if now == then:
        return
    record = f"Then run `{COMMAND}`, which writes {FILE.relative_to(FILE.parent.parent)}."
    if now["version"] == then["version"]:
        pytest.fail(
            f"The code that decides what {recipe} says changed, and the recipe is still version"
            f" {now['version']}. If any output may differ, raise it in the stage or in media/, so"
            f" that no answer of the old code is taken for one of the new. {record}"
        )
    pytest.fail(
        f"The recipe of {recipe} has version {now['version']} now, recorded is {then['version']}."
        f" {record}"
    )


CODE = '''
"""A module."""
LIMIT = 3  # of all


class Answer:
    """What is said."""

    most: int = 7

    def read(self, text: str) -> str:
        """Reads."""
        # carefully
        return text[:LIMIT]
'''


def test_layout_comments_and_docstrings_decide_nothing() -> None:
    other = (
        "LIMIT = (3)\nclass Answer:\n  most: int = 7\n  def read(self, text: str,) -> str: return"
        " (text [ : LIMIT ])\n"
    )
    assert normal(CODE) == normal(other)
    assert normal(CODE, "Answer.read") == normal(other, "Answer.read")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("= 3", "= 4"),
        ("= 7", "= 8"),
        ("text[:LIMIT]", "text[1:LIMIT]"),
        ("most: int", "most: float"),
    ],
)
def test_whatever_else_changes_is_seen(old: str, new: str) -> None:
    assert normal(CODE) != normal(CODE.replace(old, new))


def test_a_name_that_is_gone_is_said() -> None:
    with pytest.raises(LookupError, match=r"Answer\.write is not there any more"):
        normal(CODE, "Answer.write")
    assert normal(CODE, "LIMIT") != normal(CODE.replace("3", "4"), "LIMIT")
