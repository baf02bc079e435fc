"""Trainings of two processes, started here as a pipeline's step starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from discern.datasets.manifest import DatasetVersion
from discern.errors import TrainingError
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig, TrainingConfig
from discern.learning.distributed import collectives
from discern.learning.distributed.launch import launch
from discern.learning.loop import TrainingResult
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import distil_student, train_teacher
from discern.learning.trainer import Log
from tests.discern import toy

PAIR = toy.config(processes=2, device="cpu", steps=11)
PATIENCE = 300  # seconds, of a machine that has much else to do; alone it takes ten
REPOSITORY = Path(__file__).resolve().parents[4]


def as_told(config: TrainingConfig, does: str, folder: Path, *, log: Log | None) -> TrainingResult:
    """A training that only does what the second of its processes is told."""
    (folder / f"{os.environ['RANK']}.pid").write_text(str(os.getpid()))
    if does == "die":
        if os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1)
        raise SystemExit(1)  # as one whose connection to the other is gone
    if os.environ["RANK"] == "1" and does == "refuse":
        raise TrainingError("The second process found no photos: add some.")
    if does != "nothing":
        time.sleep(PATIENCE)
    assert log is not None
    log(collectives.world_size(), {"rank": float(os.environ["RANK"])})
    return TrainingResult(TorchEmbedder(config.model))


def is_running(pid: int) -> bool:
    """Whether the process is there, and is not the rest of one that nobody has asked after."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def within(seconds: float, true: Any) -> bool:
    """Whether `true()` comes true in that time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_teacher_of_two_processes_logs_and_keeps_its_state_as_one_does(
    toy_version: DatasetVersion, tmp_path: Path
) -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    checkpoint = Checkpoint(str(tmp_path / "state"), "mark")
    result = train_teacher(
        toy_version, toy.PREPROCESSING, PAIR, log=lambda *entry: logged.append(entry), checkpoint=checkpoint
    )
    assert logged == result.history
    assert [step for step, _ in logged] == [10, 11, 11]
    assert "validation_recall_at_1" in logged[-1][1]
    state = checkpoint.load()
    assert state is not None
    assert (state["step"], state["processes"]) == (11, 2)
    averaged = {name.removeprefix("module."): value for name, value in state["ema"].items()}
    assert all(torch.equal(value, averaged[name]) for name, value in result.model.state_dict().items())
    assert "RANK" not in os.environ


def test_a_student_of_two_processes_is_taught(toy_version: DatasetVersion, toy_model: TorchEmbedder) -> None:
    config = PAIR.model_copy(update={"steps": 2})
    result = distil_student(toy_version, toy.PREPROCESSING, config, DistillConfig(teacher_sees="view"), toy_model)
    assert [step for step, _ in result.history] == [2, 2]
    assert not result.model.training


def test_one_process_trains_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")  # as torchrun sets it: who was started as one of several starts no others
    logged: list[int] = []
    launch(as_told, PAIR, PAIR, "nothing", tmp_path, log=lambda step, _: logged.append(step))
    assert logged == [1]
    assert (tmp_path / "0.pid").read_text() == str(os.getpid())


def test_what_one_process_refuses_ends_all_and_is_said_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^The second process found no photos: add some\.$"):
        launch(as_told, PAIR, PAIR, "refuse", tmp_path, log=None)
    assert_none_is_left(tmp_path)


def test_a_process_that_is_killed_ends_all(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Process 1 of the 2 .* ended with status -9 .* run again"):
        launch(as_told, PAIR, PAIR, "die", tmp_path, log=None)
    assert_none_is_left(tmp_path)


def assert_none_is_left(folder: Path) -> None:
    pids = [int(path.read_text()) for path in folder.glob("*.pid")]
    assert pids
    assert not any(map(is_running, pids))


def test_they_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.discern.learning.distributed.test_launch", str(tmp_path)]
    parent = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    try:
        assert within(PATIENCE, lambda: len([path for path in tmp_path.glob("*.pid") if path.read_text()]) == 2)
        pids = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
        assert all(map(is_running, pids))
    finally:
        parent.kill()
        parent.wait()
    assert within(30, lambda: not any(map(is_running, pids)))


@pytest.mark.parametrize(("gpus", "device", "starts"), [(1, "auto", False), (1, "cpu", True)])
def test_each_process_needs_a_gpu_of_its_own_where_gpus_train(
    gpus: int, device: str, starts: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    config = PAIR.model_copy(update={"device": device})
    message = "second process found no photos" if starts else "`processes: 2` need as many GPUs, and 1 can be used here"
    with pytest.raises(TrainingError, match=message):
        launch(as_told, config, config, "refuse", tmp_path, log=None)


if __name__ == "__main__":
    from tests.discern.learning.distributed.test_launch import (
        as_told as by_name,  # not `__main__`'s, so that the others find it
    )

    launch(by_name, PAIR, PAIR, "wait", Path(sys.argv[1]), log=None)
