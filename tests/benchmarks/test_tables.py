"""The README's tables are made from the benchmarks' files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import tables
from benchmarks.results import FOLDER, machine

CONTENT = {
    "command": "python -m benchmarks.toy",
    "date": "2026-01-02",
    "commit": "abc",
    "machine": {"processor": "P", "cores": 2, "memory_gb": 3.6},
    "figures": {"recall": 0.91234, "queries": 12, "auroc": None},
}


def test_a_table_is_filled_and_filled_again(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text(json.dumps(CONTENT))
    text = "before\n<!-- figures: toy -->\nold\n<!-- /figures -->\nafter\n"
    once = tables.render(text, tmp_path)
    assert "| `recall` | 0.9123 |" in once
    assert "| `auroc` | not computed |" in once
    assert "old" not in once
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert tables.render(once, tmp_path) == once


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tables.render("<!-- figures: toy -->\n<!-- /figures -->", tmp_path)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_results_file_has_the_format(path: Path) -> None:
    content = json.loads(path.read_text())
    assert set(content) == {"command", "date", "commit", "machine", "figures"}
    assert content["figures"]
    assert set(content["machine"]) == set(machine())
