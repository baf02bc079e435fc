"""`python -m benchmarks.tables`: write the README's tables from `results/*.json`, so that they cannot disagree.

A table stands between `<!-- figures: NAME -->` and `<!-- /figures -->`. With `--check` nothing is written, and
a table that differs from its file is an error.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER, REPOSITORY

README = REPOSITORY / "README.md"
BLOCK = re.compile(r"(<!-- figures: (?P<name>[a-z0-9_]+) -->\n).*?(<!-- /figures -->)", re.DOTALL)


def render(text: str, folder: Path = FOLDER) -> str:
    """Fill in every table of `text`.

    Raises:
        FileNotFoundError: a table has no results file.
    """

    def fill(match: re.Match[str]) -> str:
        content = json.loads((folder / f"{match['name']}.json").read_text())
        return f"{match[1]}{table(content)}{match[3]}"

    return BLOCK.sub(fill, text)


def table(content: dict[str, Any]) -> str:
    """The Markdown of one results file."""
    machine = content["machine"]
    rows = "".join(f"| `{name}` | {_number(value)} |\n" for name, value in content["figures"].items())
    return (
        f"| figure | value |\n|---|---|\n{rows}\n"
        f"`{content['command']}`, {content['date']}, commit `{content['commit']}`, {machine['cores']} cores "
        f"({machine['processor']}), {machine['memory_gb']:.0f} GB\n"
    )


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
