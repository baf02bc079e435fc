"""What models say of themselves."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from cli.config_page.described import as_model, held_models, kind_of, meanings, summary


class Part(BaseModel):
    """A part.

    It has a size.

    Args:
        size: of the part, in
            millimetres.
        colour: red mostly.
    """

    size: int
    colour: str = Field(default="red", description="always red")
    weight: float = 1


class Bolt(Part):
    """A bolt.

    Attributes:
        thread: M4 say.

    Raises:
        weight: this is no meaning.
    """

    kind: Literal["bolt"] = "bolt"
    thread: str


def assemble(use_case: str, bolts: tuple[Bolt, ...], spare: dict[str, Part] | None = None) -> None:
    """Put parts together.

    Args:
        use_case: whose.
        bolts: all of them.
    """


def test_meanings_come_from_docstrings_and_descriptions_of_the_model_and_those_it_extends() -> None:
    assert meanings(Bolt) == {
        "size": "of the part, in millimetres.",
        "colour": "always red",
        "weight": "",
        "kind": "",
        "thread": "M4 say.",
    }


def test_a_summary_is_what_stands_before_the_entries() -> None:
    assert summary(Part) == "A part.\n\nIt has a size."
    assert summary(Bolt) == "A bolt."


def test_a_function_counts_as_a_model_of_its_parameters() -> None:
    model = as_model(assemble)
    assert meanings(model) == {"use_case": "whose.", "bolts": "all of them.", "spare": ""}
    assert [name for name, field in model.model_fields.items() if field.is_required()] == ["use_case", "bolts"]
    assert list(held_models(model)) == [("bolts", Bolt), ("spare", Part)]


def test_only_a_model_with_one_kind_has_a_kind() -> None:
    assert kind_of(Bolt) == "bolt"
    assert kind_of(Part) is None
