"""The page as it is rendered: tables, links, and what is refused."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, create_model

from cli.config_page.page import CELL, Part, render, slug


class Inner(BaseModel):
    """Something inside.

    Args:
        size: of it | in pixels.
    """

    size: int = 3


class Near(BaseModel):
    """Photos nearby. They are local.

    Args:
        path: where.
    """

    kind: Literal["near"] = "near"
    path: str


class Far(Near):
    """Photos far away."""

    kind: Literal["far"] = "far"  # type: ignore[assignment]


Source = Annotated[Near | Far, Field(discriminator="kind")]
LONG = "First it is said. " + "Then it goes on and on. " * 10


def page(**fields: Any) -> str:
    model = create_model("toy", __doc__="Make a toy.", **fields)
    return render(
        [Part("toy.yaml", model, "parameters: {}\n", ["load", "save"], {"named": "the folder's"})], "## End\n"
    )


def test_a_table_has_a_row_a_key_and_links_to_the_models_inside() -> None:
    text = page(
        named=(str, Field(description="its name.")),
        first=(Inner, Field(default=Inner(), description="one")),
        second=(Inner | None, Field(default=None, description="another")),
    )
    assert "| `named` | text | the folder's | its name |" in text
    assert "| `first` | [`first`, `second`](#first-second) | its defaults | one |" in text
    assert text.count("### `first`, `second`\n\nSomething inside.\n") == 1
    assert "| `size` | whole number | `3` | of it \\| in pixels |" in text
    assert "`load`, `save`" in text


def test_kinds_stand_under_one_heading_each_with_its_table() -> None:
    text = page(source=(Source, Field(description="where photos are")))
    assert "| `source` | [one of its kinds](#the-kinds-of-source) | required | where photos are |" in text
    assert "| [near](#kind-near) | Photos nearby. |\n| [far](#kind-far) | Photos far away. |" in text
    assert text.count("| `path` | text | required | where |") == 2
    assert "| `kind` |" not in text.replace("| `kind` | what |", "")


def test_what_is_long_stands_below_its_table() -> None:
    many = Literal[tuple(f"number-{number}" for number in range(30))]  # type: ignore[valid-type]
    text = page(told=(str, Field(description=LONG)), chosen=(many, Field(description="one of many")))
    assert "| `told` | text | required | First it is said |" in text
    assert "\n`told`: Then it goes on" in text
    assert "| `chosen` | see below |" in text
    assert "\n`chosen` holds: `number-0`, " in text
    assert max(len(cell) for line in text.splitlines() if line[:1] == "|" for cell in line.split("|")) <= CELL


def test_every_heading_is_in_the_contents_and_every_link_leads_to_one() -> None:
    text = page(source=(Source, Field(description="where")), part=(Inner, Field(description="what")))
    headings = [slug(title) for title in re.findall(r"^##+ (.+)$", text, re.MULTILINE)]
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert set(links) == set(headings)
    assert links[: len(headings)] == headings


def test_a_key_without_a_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match=r"toy\.size has no meaning"):
        page(size=(int, 3))


def test_two_headings_that_are_the_same_are_refused() -> None:
    end = create_model("Last", __doc__="x", size=(int, Field(description="y")))
    with pytest.raises(ValueError, match="two headings of the page are the same"):
        page(End=(end, Field(description="x")))
