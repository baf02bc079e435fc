"""The run of a tracked step: its tags, its figures, where it is, and why it failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pytest
from mlflow.tracking import MlflowClient
from zenml import get_step_context, step
from zenml.client import Client

import steps.training
from discern.errors import TrainingError
from discern.learning.trainer import TrainingResult
from orchestration import tracking
from orchestration.checked_pipeline import checked_pipeline

if TYPE_CHECKING:
    from mlflow.entities import Run

told: list[str] = []


@step(experiment_tracker=True, enable_cache=False, on_failure=tracking.keep_reason)
def learn(works: bool) -> None:
    """A training in which nothing is learned."""
    tracking.log_origin("5794fd696a07ccf4")
    if not works:
        raise TrainingError("the loss is nan: lower the learning rate.")
    tracking.logger("teacher")(10, {"loss": 1.5})
    told.append(tracking.log_result("teacher", TrainingResult(None, [], 200.0, 41.6, 0.1)))
    told.append(get_step_context().pipeline_run.name)


@checked_pipeline(steps=steps.training, is_tracked=True)
def learning_pipeline(use_case: str, works: bool = True) -> None:
    """Learn."""
    learn(works)


def run(folder: Path, use_case: str, works: bool) -> Run:
    """Run the pipeline; returns the only run of the use case's experiment."""
    config = folder / "learning.yaml"
    config.write_text(f"parameters: {{use_case: {use_case}, works: {works}}}")
    try:
        learning_pipeline.with_options(config_path=str(config))()
    except TrainingError:
        assert not works
    tracker = Client().active_stack.experiment_tracker
    assert tracker is not None
    client = MlflowClient(tracker.get_tracking_uri())  # type: ignore[attr-defined]
    experiment = client.get_experiment_by_name(use_case)
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    return found


@pytest.mark.usefixtures("local_stack")
def test_a_run_says_what_it_is_of_and_groups_its_figures(tmp_path: Path) -> None:
    found = run(tmp_path, "learned", works=True)
    result, name = told
    assert found.info.run_name == name
    assert name.startswith("learned-learning-20")
    expected = {"use_case": "learned", "dataset_version": "5794fd696a07ccf4", "pipeline_run": name}
    assert expected.items() <= found.data.tags.items()
    assert len(found.data.tags["git_commit"]) >= 40
    assert set(found.data.metrics) == {
        "teacher/loss",
        "teacher/seconds",
        "teacher/photos_per_second",
        "teacher/waiting",
    }
    curves = f"run {name} of the MLflow experiment learned (`discern mlflow` shows it)"
    assert result == f"took 3 min (42 photos/s). Its curves: {curves}."


@pytest.mark.usefixtures("local_stack")
def test_a_failed_run_says_why(tmp_path: Path) -> None:
    found = run(tmp_path, "failed", works=False)
    assert found.info.status == "FAILED"
    assert found.data.tags["mlflow.note.content"] == "learn failed: the loss is nan: lower the learning rate."


def test_without_a_run_nothing_is_kept() -> None:
    tracking.keep_reason(TrainingError("x"))
    assert mlflow.active_run() is None
    assert tracking.address() == "not tracked"
