"""`python -m benchmarks.tables`: write the tables of `docs/results.md` from `results/*.json`: they cannot disagree.

A table stands between `<!-- figures: NAME -->` and `<!-- /figures -->`, a figure a line. With rows and columns, as in
`<!-- figures: NAME; rows: teacher, student=*; columns: recall, auroc -->`, the cell of a row and a column is the figure
`ROW_COLUMN`, or the figure that the row's pattern gives with the column in place of `*`. A column without a figure in
any row is left out. Figures of no cell stand in a line below. With `--check` nothing is written, and a table that
differs from its file is an error.
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

PAGE = REPOSITORY / "docs" / "results.md"
BLOCK = re.compile(
    r"(?P<head><!-- figures: (?P<name>\w+)(?:; rows: (?P<rows>[^;]+); columns: (?P<columns>[^;]+?))? -->\n).*?"
    r"(?P<foot><!-- /figures -->)",
    re.DOTALL,
)
SPREADS = ("_spread", "_half_width")  # of the figure whose name they lengthen; shown behind it as ±
INTERVALS = (("_interval",), ("_low", "_high"))  # of the figure whose name they lengthen, or that ends in `_points`


def render(text: str, folder: Path = FOLDER) -> str:
    """Fill in every table of `text`.

    Raises:
        FileNotFoundError: a table has no results file.
        ValueError: a row of a table has no figure.
    """

    def fill(match: re.Match[str]) -> str:
        content = json.loads((folder / f"{match['name']}.json").read_text())
        filled = table(content, _words(match["rows"]), _words(match["columns"]))
        return match["head"] + filled + match["foot"]

    return BLOCK.sub(fill, text)


def table(content: dict[str, Any], rows: Sequence[str] = (), columns: Sequence[str] = ()) -> str:
    """Write one results file as Markdown; without `rows` a figure is a row.

    Args:
        content: of the results file.
        rows: `NAME`, or `NAME=PATTERN` where the figures of a row have other names than `NAME_*`.
        columns: names.

    Raises:
        ValueError: a row has no figure.
    """
    texts = _texts(content["figures"])
    if rows:
        made = _grid(texts, rows, columns)
    else:
        made = _lines(["figure", "value"], ([f"`{name}`", text] for name, text in texts.items()))
    return f"{made}\n{_caption(content)}\n"


def _caption(content: Mapping[str, Any]) -> str:
    """Say how figures came about; earlier results files say less."""
    machine, threads = content["machine"], content.get("threads", {})
    told = [f"`{content['command']}`", content["date"], f"commit `{content['commit']}`"]
    told += [f"code `{content['code_mark']}`"] if "code_mark" in content else []
    told += [content["precision"]] if "precision" in content else []
    told += [f"{threads['torch']} threads of torch"] if "torch" in threads else []
    return ", ".join([*told, f"{machine['cores']} cores ({machine['processor']})", f"{machine['memory_gb']:.0f} GB"])


def _grid(texts: Mapping[str, str], rows: Sequence[str], columns: Sequence[str]) -> str:
    """Write rows and columns, and below them the figures of no cell."""
    patterns = {name: pattern or f"{name}_*" for name, _, pattern in (row.partition("=") for row in rows)}
    names = {pattern.replace("*", column) for pattern in patterns.values() for column in columns}
    shown = [column for column in columns if any(p.replace("*", column) in texts for p in patterns.values())]
    lines = []
    for name, pattern in patterns.items():
        figures = [pattern.replace("*", column) for column in shown]
        if not any(figure in texts for figure in figures):
            raise ValueError(f"no figure is of row {name}: name rows, patterns and columns as the figures are named.")
        lines.append([f"`{name}`", *(texts.get(figure, "") for figure in figures)])
    below = ", ".join(f"`{name}` {text}" for name, text in texts.items() if name not in names)
    return _lines(["", *(f"`{column}`" for column in shown)], lines) + (f"\n{below}\n" if below else "")


def _texts(figures: Mapping[str, Any]) -> dict[str, str]:
    """Write each figure, with its spread or its interval behind it."""
    texts = {name: _number(value) for name, value in figures.items()}
    for name in figures:
        for ending in SPREADS:
            if f"{name}{ending}" in figures:
                texts[name] += f" ± {figures[f'{name}{ending}']:.2g}"
                del texts[f"{name}{ending}"]
        for endings in INTERVALS:
            ends = [name.removesuffix("_points") + ending for ending in endings]
            if all(figures.get(end) is not None for end in ends):
                texts[name] += " [{:.3g}, {:.3g}]".format(*np.ravel([figures[end] for end in ends]))
                for end in ends:
                    del texts[end]
    return texts


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _number(value: Any) -> str:
    if value is None:
        return "not computed"
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"


def _words(text: str | None) -> list[str]:
    return [] if text is None else [word.strip() for word in text.split(",")]


def main(arguments: list[str] | None = None) -> int:
    """Write or check the page of results; returns the exit status."""
    check = "--check" in (sys.argv[1:] if arguments is None else arguments)
    before = PAGE.read_text()
    after = render(before)
    if not check:
        PAGE.write_text(after)
    return int(check and before != after)


if __name__ == "__main__":
    sys.exit(main())
