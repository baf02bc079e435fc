from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import boto3
import pytest
import torch

from discern.errors import TrainingError
from discern.learning.checkpoints import Checkpoint, fingerprint
from discern.learning.config import DistillConfig
from tests.discern import toy

MARK = "0123456789abcdef"


class Malicious:
    """What a pickle can be made to do to whoever loads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return f"{tmp_path}/a/state.pt"
    request.getfixturevalue("s3_environment")
    boto3.client("s3").create_bucket(Bucket="checkpoint-tests")
    return f"s3://checkpoint-tests/{tmp_path.name}/state.pt"


def test_the_newest_state_comes_back(place: str) -> None:
    checkpoint = Checkpoint(place, MARK)
    assert checkpoint.load() is None
    checkpoint.save({"step": 1})
    checkpoint.save({"step": 2, "weights": torch.arange(3.0), "history": [(1, {"loss": 0.5})]})
    state = Checkpoint(place, MARK).load()
    assert state is not None
    assert state["step"] == 2
    assert torch.equal(state["weights"], torch.arange(3.0))
    assert state["history"] == [(1, {"loss": 0.5})]


def test_a_removed_state_is_gone(place: str) -> None:
    checkpoint = Checkpoint(place, MARK)
    checkpoint.remove()
    checkpoint.save({"step": 1})
    checkpoint.remove()
    assert checkpoint.load() is None


def test_the_state_of_another_training_is_refused(place: str) -> None:
    Checkpoint(place, MARK).save({"step": 1})
    with pytest.raises(TrainingError, match=r"state\.pt belongs to another config or dataset version: remove it"):
        Checkpoint(place, "another").load()
    assert Checkpoint(place, MARK).load() is not None


def test_a_plain_file_of_torch_is_read_without_running_code(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save({"fingerprint": MARK, "step": 7}, path)
    assert Checkpoint(str(path), MARK).load() == {"fingerprint": MARK, "step": 7}


def test_a_pickle_that_does_something_is_refused_and_does_nothing(tmp_path: Path) -> None:
    state = {"fingerprint": MARK, "step": Malicious(tmp_path / "done")}
    torch.save(state, tmp_path / "torch.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(state))
    for name in ("torch.pt", "bare.pt"):
        with pytest.raises(TrainingError, match=f"{name} is not a checkpoint, or is damaged: remove it"):
            Checkpoint(str(tmp_path / name), MARK).load()
    assert not (tmp_path / "done").exists()
    pickle.loads((tmp_path / "bare.pt").read_bytes())  # noqa: S301
    assert (tmp_path / "done").exists()  # the file would have done it


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_half_a_file_is_one_sentence(tmp_path: Path, share: float) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    checkpoint.save({"weights": torch.rand(1000)})
    data = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(TrainingError, match=r"^[^\n]*state\.pt is not a checkpoint, or is damaged[^\n]*\.$"):
        checkpoint.load()


@pytest.mark.parametrize("content", [torch.zeros(3), {"step": 1}, [1, 2]])
def test_other_content_is_no_checkpoint(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(TrainingError, match="is not a checkpoint"):
        Checkpoint(str(tmp_path / "state.pt"), MARK).load()


def test_what_cannot_be_saved_leaves_the_last_state(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), MARK)
    checkpoint.save({"step": 1})
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        checkpoint.save({"step": 2, "odd": lambda: None})
    state = checkpoint.load()
    assert state is not None
    assert state["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_the_fingerprint_changes_with_everything_that_it_is_made_of() -> None:
    marks = {
        fingerprint(toy.config(), "teacher", "version"),
        fingerprint(toy.config(seed=1), "teacher", "version"),
        fingerprint(toy.config(), "student", "version"),
        fingerprint(toy.config(), "teacher", "another"),
        fingerprint(toy.config(), "teacherversion"),
        fingerprint(DistillConfig(), "teacher", "version"),
    }
    assert len(marks) == 6
    assert all(len(mark) == 16 for mark in marks)
    assert fingerprint(toy.config(), "teacher", "version") in marks
