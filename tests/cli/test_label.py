"""The command that sends photos to be labelled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import Caller
from tests.discern.pictures import fill
from tests.discern.sources.labelbox.server import KEY, FakeLabelbox


@pytest.fixture
def labelbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLabelbox]:
    with FakeLabelbox() as server:
        monkeypatch.setenv("LABELBOX_API_KEY", KEY)
        monkeypatch.setenv("LABELBOX_URL", server.url)
        yield server


@pytest.fixture
def arguments(labelbox: FakeLabelbox, tmp_path: Path) -> list[str]:
    labelbox.add_project("p1")
    photos = fill(tmp_path / "photos", classes=2, each=3)
    (photos / "notes.txt").write_text("passed over")
    return ["--photos", str(photos), "--project", "p1", "--batch", "week 3", "--priority", "2"]


def test_it_sends_photos_and_says_so(
    labelbox: FakeLabelbox,
    arguments: list[str],
    call: Caller,
) -> None:
    ended = call("label", *arguments)
    assert ended.status == 0
    assert ended.out == ("6 pictures: 6 uploaded, 6 queued for labelling; batch 'week 3' created\n")
    state = labelbox.state()
    ended = call("label", *arguments)
    assert ended.status == 0
    assert ended.out == ("6 pictures: 0 uploaded, 0 queued for labelling; batch 'week 3' unchanged\n")
    assert labelbox.state() == state


@pytest.mark.parametrize("operation", ["UploadFile", "UpsertDataRows", "createBatchV2"])
def test_killed_and_run_again_it_ends_in_the_same_state(
    labelbox: FakeLabelbox,
    arguments: list[str],
    call: Caller,
    operation: str,
) -> None:
    assert call("label", *arguments).status == 0
    state = labelbox.state()
    labelbox.forget()
    labelbox.add_project("p1")
    command = [sys.executable, "-m", "cli", "label", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    labelbox.meanwhile[operation] = process.kill
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -9, errors
    assert call("label", *arguments).status == 0
    assert labelbox.state() == state


def test_what_goes_wrong_is_one_sentence(
    labelbox: FakeLabelbox,
    arguments: list[str],
    call: Caller,
) -> None:
    labelbox.projects.clear()
    sentence = call.refused("label", *arguments)
    assert sentence.startswith("Labelbox did not find what it takes for sending batch 'week 3' to project p1: ")
    assert KEY not in sentence


def test_without_photos_nothing_is_sent(
    labelbox: FakeLabelbox,
    tmp_path: Path,
    call: Caller,
) -> None:
    labelbox.add_project("p1")
    (tmp_path / "empty").mkdir()
    sentence = call.refused("label", "--photos", tmp_path / "empty", "--project", "p1", "--batch", "b")
    assert sentence == "there are no photos to send: point at some."
