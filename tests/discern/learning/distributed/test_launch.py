"""Trainings of two processes, started here as a pipeline's step starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from discern.datasets.manifest import DatasetVersion
from discern.errors import TrainingError
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig
from discern.learning.distributed.launch import launch
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import distil_student, train_on_labels
from tests.discern import toy
from tests.discern.learning.distributed.workers import PAIR, PATIENCE, REFUSAL, work

EMBEDDER_PAIR = toy.config(processes=2, device="cpu", steps=11)
REPOSITORY = Path(__file__).resolve().parents[4]


def is_running(pid: int) -> bool:
    """Return whether the process lives; one that ended but was not waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Return whether `condition` holds within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.long
def test_a_teacher_of_two_processes_logs_and_keeps_its_state_as_one_does(
    toy_version: DatasetVersion, tmp_path: Path
) -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), "mark")
    result = train_on_labels(
        toy_version, toy.PREPROCESSING, EMBEDDER_PAIR, log=lambda *entry: logged.append(entry), checkpoint=checkpoint
    )
    assert logged == result.history
    assert [step for step, _ in logged] == [10, 11, 11]
    assert "validation_recall_at_1" in logged[-1][1]
    state = checkpoint.load()
    assert state is not None
    assert (state["step"], state["processes"]) == (11, 2)
    averaged = {name.removeprefix("module."): value for name, value in state["learner"]["ema"].items()}
    assert all(torch.equal(value, averaged[name]) for name, value in result.model.state_dict().items())
    assert "RANK" not in os.environ


@pytest.mark.long  # the students of `test_collectives` are taught in two processes too
def test_a_student_of_two_processes_is_taught(toy_version: DatasetVersion, toy_model: TorchEmbedder) -> None:
    config = EMBEDDER_PAIR.model_copy(update={"steps": 2})
    result = distil_student(toy_version, config, DistillConfig(teacher_sees="view"), toy_model)
    assert [step for step, _ in result.history] == [2, 2]
    assert not result.model.training


def test_one_process_trains_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")  # as torchrun sets it: who was started as one of several starts no others
    logged: list[int] = []
    launch(work, PAIR, PAIR, "end", tmp_path, log=lambda step, _: logged.append(step))
    assert logged == [1]
    assert (tmp_path / "0.pid").read_text() == str(os.getpid())


def test_an_error_of_one_process_ends_all_and_is_raised_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)  # too few, but `device: cpu` needs none
    with pytest.raises(TrainingError, match=f"^{REFUSAL}$"):
        launch(work, PAIR, PAIR, "refuse", tmp_path, log=None)
    assert_none_is_left(tmp_path)


def test_each_process_needs_a_gpu_of_its_own_where_gpus_train(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    config = PAIR.model_copy(update={"device": "auto"})
    with pytest.raises(TrainingError, match="`processes: 2` need as many GPUs, and 1 can be used here: set it to 1"):
        launch(work, config, config, "refuse", tmp_path, log=None)
    assert list(tmp_path.iterdir()) == []  # none was started


def test_a_process_that_is_killed_ends_all(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Process 1 of the 2 .* ended with status -9 .* run again"):
        launch(work, PAIR, PAIR, "die", tmp_path, log=None)
    assert_none_is_left(tmp_path)


def assert_none_is_left(folder: Path) -> None:
    pids = [int(path.read_text()) for path in folder.glob("*.pid")]
    assert pids
    assert not any(map(is_running, pids))


def test_the_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.discern.learning.distributed.workers", str(tmp_path)]
    parent = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        assert within(PATIENCE, lambda: len([path for path in tmp_path.glob("*.pid") if path.read_text()]) == 2)
        pids = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
        assert all(map(is_running, pids))
    finally:
        parent.kill()
        parent.wait()
    assert within(30, lambda: not any(map(is_running, pids)))
