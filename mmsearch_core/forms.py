"""The forms of runs: what a person filled in, as JSON, checked before any work starts."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from mmsearch_core.errors import BadSettings

Form = TypeVar("Form", bound=BaseModel)


def read_form(request: str, form: type[Form]) -> Form:
    """The form that a run sends; BadSettings names the first field that is wrong."""
    try:
        return form.model_validate_json(request)
    except ValidationError as error:
        name, why = first_fault(error)
        raise BadSettings(
            f"{name or 'The request'} is wrong ({why}): correct it in the form of the run."
        ) from error


def first_fault(error: ValidationError) -> tuple[str, str]:
    """The first field that is wrong, with dots, "" where it is all of it; and what is wrong."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    return name, first["msg"].removeprefix("Value error, ")
