"""Two processes on this machine, started as torchrun would, but with nobody who ends one when the other has ended."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from discern.errors import TrainingError
from discern.learning.checkpoints import Checkpoint
from discern.learning.distributed import collectives
from discern.learning.losses import LabelledBatch
from discern.learning.models import TorchEmbedder
from tests.discern import toy
from tests.discern.learning.distributed.pair import FULL, SMALL
from tests.discern.learning.test_embedding import FINGERPRINT, metric_loss, trained

PATIENCE = 300  # seconds, of a machine that has much else to do; alone it takes about fifteen
Results = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the two worked; not to be changed."""
    folder = tmp_path_factory.mktemp("pair")
    config = FULL.model_copy(update={"steps": 1})
    trained(config, checkpoint=Checkpoint(str(folder / "of-one-process.pt"), FINGERPRINT))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    repository = str(Path(__file__).resolve().parents[4])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo", "WORLD_SIZE": "2"}
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.discern.learning.distributed.pair", str(folder)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=repository,
            env={**os.environ, "PYTHONPATH": repository, "RANK": rank, "LOCAL_RANK": rank, **shared},
        )
        for rank in ("0", "1")
    ]
    try:
        errors = [child.communicate(timeout=PATIENCE)[1] for child in children]
    finally:
        for child in children:
            child.kill()
    assert [child.returncode for child in children] == [0, 0], errors
    return folder


@pytest.fixture(scope="module")
def pair(folder: Path) -> tuple[Results, Results]:
    """The results of the main process and of the other."""
    main, other = (torch.load(folder / f"results-{rank}.pt", weights_only=False) for rank in (0, 1))
    return main, other


def equal(first: Any, second: Any) -> bool:
    """Return whether two states are the same to the bit."""
    if isinstance(first, Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(equal(*each) for each in zip(first, second, strict=True))
    return bool(first == second)


def test_after_every_step_both_hold_the_same_state(pair: tuple[Results, Results]) -> None:
    main, other = (results["three steps"] for results in pair)
    assert main["step"] == 3
    assert {"model", "objective", "optimizer", "schedule", "ema"} <= main["learner"].keys()
    assert main["sampler"].keys() == {"class_means"}
    assert equal(main, other)


def test_a_step_is_one_of_all_photos_together(pair: tuple[Results, Results]) -> None:
    main, other = (results["first step"] for results in pair)
    # Each draws photos of its own; what they begin with, and what a loss draws, is alike.
    assert not torch.equal(main["batch"]["images"], other["batch"]["images"])
    assert equal(main["before"], other["before"])
    assert torch.equal(main["drawn"], other["drawn"])
    copies = [TorchEmbedder(SMALL.model, toy.PREPROCESSING) for _ in pair]
    embeddings = []
    for model, results in zip(copies, (main, other), strict=True):
        model.load_state_dict(main["before"][0])
        embeddings.append(model.train()(results["batch"]["images"]))
    loss = metric_loss(SMALL.model_copy(update={"loss": FULL.loss}))
    loss.load_state_dict(main["before"][1])
    labels = main["batch"]["labels"]
    assert len(labels) == 2 * len(main["batch"]["images"])
    loss(torch.cat(embeddings), LabelledBatch(main["batch"]["images"], labels, labels)).backward()
    wanted = [sum(both) for both in zip(*([p.grad for p in model.parameters()] for model in copies), strict=True)]
    wanted += [p.grad for p in loss.parameters()]
    torch.testing.assert_close(main["gradients"], wanted, rtol=1e-3, atol=1e-4)
    assert equal(main["gradients"], other["gradients"])
    first, second = (dict(model.named_buffers()) for model in copies)
    running = [name for name in first if "running_" in name]
    assert running
    for name in running:
        torch.testing.assert_close(main["after"][name], (first[name] + second[name]) / 2)
        assert torch.equal(main["after"][name], other["after"][name])


def test_the_gradients_of_the_losss_own_parameters_are_averaged(pair: tuple[Results, Results]) -> None:
    (weight, gradient), (other_weight, other_gradient) = (results["uneven"] for results in pair)
    assert gradient.item() == other_gradient.item() == pytest.approx((0 + 2) / 2)
    assert weight.item() == other_weight.item() < 0


def test_both_end_with_the_same_model_and_the_main_one_alone_validates_logs_and_writes(
    pair: tuple[Results, Results], folder: Path
) -> None:
    main, other = (results["unbroken"] for results in pair)
    assert equal(main["model"], other["model"])
    assert equal(main["loss"], other["loss"])
    assert main["history"] == other["history"]
    assert main["logged"] == [step for step, _ in main["history"]]
    assert (main["validated"], other["validated"], other["logged"]) == (FULL.steps, 0, [])
    assert {path.name for path in folder.glob("*broken-*")} == {"unbroken-0.pt"}
    assert {path.name for path in folder.glob("resumed-*")} == {"resumed-0.pt"}


def test_a_failure_of_the_main_process_ends_both_and_they_go_on_to_the_same_weights_to_the_bit(
    pair: tuple[Results, Results],
) -> None:
    main, other = (results["resumed"] for results in pair)
    assert main["stopped"] == "StopError: at step 5"
    assert other["stopped"] == (
        "TrainingError: The main process failed, and this one ends with it (StopError: at step 5): see the main one's "
        "log."
    )
    unbroken = pair[0]["unbroken"]
    for resumed in (main, other):
        assert equal(resumed["model"], unbroken["model"])
        assert equal(resumed["loss"], unbroken["loss"])
        assert resumed["history"] == unbroken["history"]


def test_a_checkpoint_of_another_number_of_processes_is_refused(
    pair: tuple[Results, Results], folder: Path, tmp_path: Path
) -> None:
    for results in pair:
        assert "is of a training in 1 process(es), and here are 2: start as many" in results["of one process"]
    shutil.copy(folder / "unbroken-0.pt", tmp_path)
    with pytest.raises(TrainingError, match=r"is of a training in 2 process\(es\), and here are 1: start as many"):
        trained(FULL, checkpoint=Checkpoint(str(tmp_path / "unbroken-0.pt"), FINGERPRINT))


def test_a_training_that_gets_no_better_stops_in_both(pair: tuple[Results, Results]) -> None:
    main, other = (results["patient"] for results in pair)
    assert [step for step, _ in main["history"]] == [1, 2, 3, 4]
    assert equal(main, other)


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        ("nan loss", "The loss is nan at step 2 "),
        ("nan gradient", "The gradient is nan at step 2 "),
        ("collapsed", "The embeddings collapsed: at step 3 "),
    ],
)
def test_what_goes_wrong_in_one_ends_both_alike(pair: tuple[Results, Results], scene: str, message: str) -> None:
    main, other = (results[scene] for results in pair)
    assert message in main
    assert main == other


def test_a_teacher_that_sees_the_students_images_embeds_each_process_its_own(pair: tuple[Results, Results]) -> None:
    main, other = (results["student"] for results in pair)
    torch.testing.assert_close(main["all"], torch.cat([main["share"], other["share"]]))
    assert equal(main["all"], other["all"])
    assert equal(main["model"], other["model"])


def test_one_process_has_nobody_to_wait_for() -> None:
    rows = torch.randn(3, 2, requires_grad=True)
    assert collectives.world_size() == 1
    assert collectives.gather(rows) is rows
    assert collectives.from_main(lambda: 7) == 7
    collectives.average([rows])
