"""What the stack's experiment tracker gets to see of a training."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import mlflow
from pydantic import BaseModel

from discern.learning.training import TrainingResult

# ZenML tells at every step that it cannot switch off the autologging of libraries that are not installed.
logging.getLogger("zenml.integrations.mlflow.experiment_trackers.mlflow_experiment_tracker").addFilter(
    lambda record: "disable MLflow autologging" not in str(record.msg)
)


def log_config(prefix: str, config: BaseModel) -> None:
    """Log every leaf of `config` as a parameter `prefix.key.key`."""
    mlflow.log_params({f"{prefix}.{key}": value for key, value in _leaves(config.model_dump()).items()})


def logger(prefix: str) -> Callable[[int, dict[str, float]], None]:
    """A callback that logs the figures of a step as `prefix_figure`."""

    def log(step: int, figures: dict[str, float]) -> None:
        mlflow.log_metrics({f"{prefix}_{name}": value for name, value in figures.items()}, step=step)

    return log


def log_result(prefix: str, result: TrainingResult) -> None:
    """Log what a training took."""
    mlflow.log_metrics(
        {
            f"{prefix}_seconds": result.seconds,
            f"{prefix}_photos_per_second": result.photos_per_second,
            f"{prefix}_waiting": result.waiting,
        }
    )


def run_id() -> str | None:
    """The id of the active run of the tracker."""
    run = mlflow.active_run()
    return None if run is None else str(run.info.run_id)


def _leaves(tree: dict[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat.update(_leaves(value, f"{path}{key}."))
        else:
            flat[f"{path}{key}"] = value
    return flat
