"""What differs between two releases, by their files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.releases.diff import diff_releases
from edge_runtime.core.identify import DecisionRule
from edge_runtime.core.release import MODEL_FILE, Release, open_release
from tests.edge_runtime.toy_release import COLOURS, RULE, build_toy, repin, write_model

FEWER = {label: colour for label, colour in COLOURS.items() if label != "white"}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_toy(tmp_path_factory.mktemp("releases") / "before", colours=FEWER)


def test_a_release_differs_in_nothing_from_itself(before: Release) -> None:
    found = diff_releases(before, before)
    assert (found.added, found.retired, found.other_photos, found.same_model) == ((), (), (), True)
    assert (dict(found.rule), dict(found.figures), dict(found.fetched)) == ({}, {}, {})


def test_classes_photos_rule_and_what_is_fetched(before: Release, tmp_path: Path) -> None:
    rule = DecisionRule(threshold=0.9, margin=RULE.margin, fpir=RULE.fpir)
    colours = {"green": FEWER["green"], "blue": (40, 60, 200), "red": FEWER["red"], "orange": (230, 130, 20)}
    after = build_toy(tmp_path / "after", colours=colours, rule=rule)
    found = diff_releases(before, after)
    assert (found.classes, found.added, found.retired) == ((4, 4), ("orange",), ("yellow",))
    assert found.other_photos == ("blue",), "green and red lie elsewhere in the index, and are the same"
    assert dict(found.rule) == {"threshold": (RULE.threshold, 0.9)}
    assert MODEL_FILE not in found.fetched
    assert found.fetched["embeddings.npy"] == after.manifest.files["embeddings.npy"].bytes
    assert sum(found.fetched.values()) < found.size


def test_photos_are_not_told_apart_by_another_model(before: Release, tmp_path: Path) -> None:
    folder = build_toy(tmp_path / "after", colours=FEWER).folder
    write_model(folder / MODEL_FILE, swap=True)
    repin(folder)
    found = diff_releases(before, open_release(folder))
    assert (found.same_model, found.other_photos) == (False, None)
    assert MODEL_FILE in found.fetched
