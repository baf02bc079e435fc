from __future__ import annotations

from discern.suggestions import nearest, suggest

NAMES = ["Label", "path", "captured_at", "captures"]


def test_suggest_names_the_nearest() -> None:
    assert suggest("pth", NAMES, "name a column.") == "did you mean 'path'?"
    assert suggest("capture", NAMES, "name a column.", count=2) == "did you mean 'captures', 'captured_at'?"


def test_suggest_gives_the_other_mend_where_nothing_is_near() -> None:
    assert suggest("xyz", NAMES, "name a column.") == "name a column."
    assert suggest("xyz", [], "name a column.") == "name a column."


def test_nearest_takes_no_heed_of_capitals() -> None:
    assert nearest("LABEL", NAMES) == ["Label"]
    assert nearest("xyz", NAMES) == []
