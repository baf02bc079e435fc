"""Decisions on label conflicts as parameters of a run; a table that was lost: tests/e2e/test_decisions.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.errors import ConfigError
from orchestration.decisions import with_decisions

STATED = CleaningConfig(decisions={"b.jpg": "bolt"}, near_distance=3)


def test_without_a_table_the_settings_stay() -> None:
    assert with_decisions(STATED, None, "parts") is STATED


def test_a_table_joins_the_settings(tmp_path: Path) -> None:
    table = tmp_path / "decisions.csv"
    table.write_text("photo,label\na.jpg,nut\n")
    cleaning = with_decisions(STATED, str(table), "parts")
    assert cleaning == STATED.model_copy(update={"decisions": {"a.jpg": "nut", "b.jpg": "bolt"}})


@pytest.mark.usefixtures("local_stack")
def test_a_table_that_nobody_has_made_yet_holds_no_decisions(tmp_path: Path) -> None:
    assert with_decisions(STATED, str(tmp_path / "decisions.csv"), "never run") == STATED


def test_a_table_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the folder of the table of decisions does not exist"):
        with_decisions(STATED, str(tmp_path / "confgs" / "decisions.csv"), "parts")
