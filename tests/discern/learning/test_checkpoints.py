from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import boto3
import pytest
import torch

from discern.errors import TrainingError
from discern.learning.checkpoints import Checkpoint, training_fingerprint
from discern.learning.config import DistillConfig
from edge_runtime.core.images import Preprocessing
from tests.discern import toy

FINGERPRINT = "0123456789abcdef"


class Malicious:
    """A pickle that makes a folder when it is loaded."""

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
    checkpoint = Checkpoint(place, FINGERPRINT)
    assert checkpoint.load() is None
    checkpoint.save({"step": 1})
    checkpoint.save({"step": 2, "weights": torch.arange(3.0), "history": [(1, {"loss": 0.5})]})
    state = Checkpoint(place, FINGERPRINT).load()
    assert state is not None
    assert state["step"] == 2
    assert torch.equal(state["weights"], torch.arange(3.0))
    assert state["history"] == [(1, {"loss": 0.5})]


def test_a_removed_state_is_gone(place: str) -> None:
    checkpoint = Checkpoint(place, FINGERPRINT)
    checkpoint.remove()
    checkpoint.save({"step": 1})
    checkpoint.remove()
    assert checkpoint.load() is None


def test_the_state_of_another_training_is_refused(place: str) -> None:
    Checkpoint(place, FINGERPRINT).save({"step": 1})
    with pytest.raises(TrainingError, match=r"state\.pt belongs to another config or dataset version: remove it"):
        Checkpoint(place, "another").load()
    assert Checkpoint(place, FINGERPRINT).load() is not None


def test_a_plain_file_of_torch_is_read_without_running_code(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    torch.save({"fingerprint": FINGERPRINT, "step": 7}, path)
    assert Checkpoint(str(path), FINGERPRINT).load() == {"fingerprint": FINGERPRINT, "step": 7}


def test_a_pickle_that_does_something_is_refused_and_does_nothing(tmp_path: Path) -> None:
    state = {"fingerprint": FINGERPRINT, "step": Malicious(tmp_path / "done")}
    torch.save(state, tmp_path / "torch.pt")
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(state))
    for name in ("torch.pt", "bare.pt"):
        with pytest.raises(TrainingError, match=f"{name} is not a checkpoint, or is damaged: remove it"):
            Checkpoint(str(tmp_path / name), FINGERPRINT).load()
    assert not (tmp_path / "done").exists()
    pickle.loads((tmp_path / "bare.pt").read_bytes())  # noqa: S301
    assert (tmp_path / "done").exists()  # the file would have done it


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_half_a_file_is_one_sentence(tmp_path: Path, share: float) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), FINGERPRINT)
    checkpoint.save({"weights": torch.rand(1000)})
    data = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(TrainingError, match=r"^[^\n]*state\.pt is not a checkpoint, or is damaged[^\n]*\.$"):
        checkpoint.load()


@pytest.mark.parametrize("content", [torch.zeros(3), {"step": 1}, [1, 2]])
def test_other_content_is_no_checkpoint(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(TrainingError, match="is not a checkpoint"):
        Checkpoint(str(tmp_path / "state.pt"), FINGERPRINT).load()


def test_what_cannot_be_saved_leaves_the_last_state(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(tmp_path / "state.pt"), FINGERPRINT)
    checkpoint.save({"step": 1})
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        checkpoint.save({"step": 2, "odd": lambda: None})
    state = checkpoint.load()
    assert state is not None
    assert state["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


def test_the_training_fingerprint_changes_with_everything_that_the_weights_depend_on() -> None:
    arguments: dict[str, Any] = {
        "config": toy.config(),
        "dataset": "version",
        "preprocessing": Preprocessing(32),
        "weights": "",
        "code": "code",
        "teacher": "teacher",
        "distillation": DistillConfig(),
    }
    changes: list[dict[str, Any]] = [
        {},
        {"config": toy.config(seed=1)},
        {"dataset": "another"},
        {"preprocessing": Preprocessing(33)},
        {"preprocessing": Preprocessing(32, "stretch")},
        {"weights": "hash"},
        {"code": "another"},
        {"teacher": "another"},
        {"teacher": ""},
        {"distillation": DistillConfig(cosine=1.0)},
        {"distillation": None},
        {"dataset": "version\ncode", "code": ""},
    ]
    fingerprints = [training_fingerprint(**(arguments | change)) for change in changes]
    assert len(set(fingerprints)) == len(changes)
    assert all(len(fingerprint) == 16 for fingerprint in fingerprints)
    assert training_fingerprint(**arguments) == fingerprints[0]
