"""`python -m benchmarks.tables`: write the README's tables from `results/*.json`, so that they cannot disagree.

A table stands between `<!-- figures: NAME -->` and `<!-- /figures -->`; with `<!-- figures: NAME by A, B -->` it has
a row for `A` and one for `B`, and a column for each figure that carries their name, as `A_recall` or `recall_A` does.
One row may be of the figures that carry no name, as `recall` beside `teacher_recall` is the student's. What belongs to
no row stands in a line below. A spread or an interval stands beside its figure. With `--check` nothing is written, and
a table that differs from its file is an error.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import FOLDER, REPOSITORY

README = REPOSITORY / "README.md"
BLOCK = re.compile(
    r"(?P<head><!-- figures: (?P<name>[a-z0-9_]+)(?: by (?P<rows>[a-z0-9_, ]+))? -->\n).*?(?P<foot><!-- /figures -->)",
    re.DOTALL,
)
MORE_OR_LESS = ("_spread", "_half_width")  # told behind the figure whose name they lengthen


def render(text: str, folder: Path = FOLDER) -> str:
    """Fill in every table of `text`.

    Raises:
        FileNotFoundError: a table has no results file.
        ValueError: a table has a row of no figure.
    """

    def fill(match: re.Match[str]) -> str:
        content = json.loads((folder / f"{match['name']}.json").read_text())
        return match["head"] + table(content, (match["rows"] or "").replace(",", " ").split()) + match["foot"]

    return BLOCK.sub(fill, text)


def table(content: dict[str, Any], rows: Sequence[str] = ()) -> str:
    """The Markdown of one results file; without `rows` a figure a row.

    Raises:
        ValueError: no figure carries the name of a row.
    """
    cells = _cells(content["figures"])
    made = _grid(cells, rows) if rows else _lines(["figure", "value"], ([f"`{name}`", cells[name]] for name in cells))
    machine = content["machine"]
    return (
        f"{made}\n"
        f"`{content['command']}`, {content['date']}, commit `{content['commit']}`, {machine['cores']} cores "
        f"({machine['processor']}), {machine['memory_gb']:.0f} GB\n"
    )


def _grid(cells: Mapping[str, str], rows: Sequence[str]) -> str:
    """A row for each name, and a line of what belongs to none."""
    places = {name: _place(name, rows) for name in cells}
    columns = list(dict.fromkeys(place[1] for place in places.values() if place))
    named = {place[0] for place in places.values() if place}
    unnamed = [row for row in rows if row not in named]
    if unnamed and (len(unnamed) > 1 or not any(name in columns for name in cells)):
        raise ValueError(f"no figure of the table is of its row {unnamed[0]}: name rows as their figures do.")
    places |= {name: (unnamed[0], name) for name in cells if unnamed and name in columns}
    grid = {place: cells[name] for name, place in places.items() if place}
    told = [[f"`{row}`", *(grid.get((row, column), "") for column in columns)] for row in rows]
    rest = ", ".join(f"`{name}` {cells[name]}" for name, place in places.items() if not place)
    return _lines(["", *(f"`{column}`" for column in columns)], told) + (f"\n{rest}\n" if rest else "")


def _place(name: str, rows: Sequence[str]) -> tuple[str, str] | None:
    """The row and the column of a figure that carries the name of a row."""
    for row in rows:
        if name.startswith(f"{row}_"):
            return row, name.removeprefix(f"{row}_")
        if name.endswith(f"_{row}"):
            return row, name.removesuffix(f"_{row}")
    return None


def _cells(figures: Mapping[str, Any]) -> dict[str, str]:
    """What is shown of every figure, by name; spreads and intervals stand with the figures that they are of."""
    beside: dict[str, str] = {}
    folded: set[str] = set()
    for name in figures:
        for ending in MORE_OR_LESS:
            if f"{name}{ending}" in figures:
                beside[name] = f" ± {figures[f'{name}{ending}']:.2g}"
                folded.add(f"{name}{ending}")
        stem = name.removesuffix("_points")
        for ends in ((f"{stem}_interval",), (f"{stem}_low", f"{stem}_high")):
            if stem != name and all(figures.get(end) is not None for end in ends):
                beside[name] = " [{:.3g}, {:.3g}]".format(*np.ravel([figures[end] for end in ends]))
                folded.update(ends)
    return {name: _number(figures[name]) + beside.get(name, "") for name in figures if name not in folded}


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _number(value: Any) -> str:
    if value is None:
        return "not computed"
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"


def main(arguments: list[str] | None = None) -> int:
    """Write or check the README; returns the exit status."""
    check = "--check" in (sys.argv[1:] if arguments is None else arguments)
    before = README.read_text()
    after = render(before)
    if not check:
        README.write_text(after)
    return int(check and before != after)


if __name__ == "__main__":
    sys.exit(main())
