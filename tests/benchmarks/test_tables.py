"""The tables of `docs/results.md` are made from the benchmarks' files."""

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


def test_render_fills_rows_and_columns_by_the_pattern_of_a_row(tmp_path: Path) -> None:
    figures = {"queries": 12, "teacher_recall": 0.98, "recall": 0.97, "recall_spread": 0.0123, "teacher_auroc": None}
    (tmp_path / "toy.json").write_text(json.dumps(CONTENT | {"figures": figures}))
    head = "<!-- figures: toy; rows: teacher, student=*; columns: recall, auroc -->"
    filled = tables.render(f"{head}\n<!-- /figures -->", tmp_path)
    assert filled.splitlines()[1:7] == [
        "|  | `recall` | `auroc` |",
        "| --- | --- | --- |",
        "| `teacher` | 0.98 | not computed |",
        "| `student` | 0.97 ± 0.012 |  |",
        "",
        "`queries` 12",
    ]
    assert tables.render(filled, tmp_path) == filled


def test_a_row_may_end_the_names_of_its_figures() -> None:
    figures = {"recall_1shot": 0.5, "recall_5shot": 0.75}
    made = tables.table(CONTENT | {"figures": figures}, ["1shot=*_1shot", "5shot=*_5shot"], ["recall"])
    assert "| `1shot` | 0.5 |\n| `5shot` | 0.75 |\n" in made


@pytest.mark.parametrize("ends", [{"gap_interval": [-0.25, 1.25]}, {"gap_low": -0.25, "gap_high": 1.25}])
def test_an_interval_stands_beside_its_figure(ends: dict[str, object]) -> None:
    made = tables.table(CONTENT | {"figures": {"gap_points": 0.5, **ends}})
    assert "| `gap_points` | 0.5 [-0.25, 1.25] |\n\n" in made


def test_an_interval_stands_behind_the_spread_of_its_figure_in_a_row() -> None:
    figures = {"recall": 0.923, "recall_spread": 0.01, "recall_low": 0.895, "recall_high": 0.945, "seeds": 3}
    made = tables.table(CONTENT | {"figures": figures}, ["student=*"], ["recall"])
    assert "| `student` | 0.923 ± 0.01 [0.895, 0.945] |\n\n`seeds` 3\n" in made


def test_a_column_without_a_figure_is_left_out() -> None:
    made = tables.table(CONTENT | {"figures": {"student_recall": 0.5}}, ["student"], ["recall", "tpir"])
    assert made.startswith("|  | `recall` |\n| --- | --- |\n| `student` | 0.5 |\n")


def test_what_a_later_file_says_of_its_run_stands_below() -> None:
    later = {"code_mark": "0123", "precision": "bf16", "threads": {"blas": 2, "torch": 2}}
    assert tables.table(CONTENT).endswith("2026-01-02, commit `abc`, 2 cores (P), 4 GB\n")
    assert tables.table(CONTENT | later).endswith(
        "2026-01-02, commit `abc`, code `0123`, bf16, 2 threads of torch, 2 cores (P), 4 GB\n"
    )


def test_an_interval_that_was_not_computed_is_told_as_such() -> None:
    made = tables.table(CONTENT | {"figures": {"gap_points": None, "gap_interval": None}})
    assert "| `gap_points` | not computed |\n| `gap_interval` | not computed |\n" in made


def test_a_row_without_figures_is_an_error() -> None:
    with pytest.raises(ValueError, match="no figure is of row pupil"):
        tables.table(CONTENT | {"figures": {"teacher_recall": 0.98, "queries": 3}}, ["teacher", "pupil"], ["recall"])


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tables.render("<!-- figures: toy -->\n<!-- /figures -->", tmp_path)


def test_a_figure_whose_name_begins_as_a_row_does_is_in_the_table_by_its_pattern_alone() -> None:
    figures = {"teacher_recall": 0.98, "teacher_steps": 600}
    made = tables.table(CONTENT | {"figures": figures}, ["teacher"], ["recall"])
    assert "|  | `recall` |\n| --- | --- |\n| `teacher` | 0.98 |\n\n`teacher_steps` 600\n" in made


def test_the_tables_of_the_readme_are_those_of_the_results_files() -> None:
    assert tables.main(["--check"]) == 0


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_results_file_has_the_format(path: Path) -> None:
    content = json.loads(path.read_text())
    needed = {"command", "date", "commit", "machine", "figures"}
    assert needed <= set(content) <= needed | {"code_mark", "precision", "threads"}
    assert content["figures"]
    assert set(content["machine"]) == set(machine())
