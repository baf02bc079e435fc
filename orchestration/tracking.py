"""What the stack's experiment tracker gets to see of a training.

One experiment a use case; one run a pipeline run, of the same name. Figures are named GROUP/FIGURE, as in
`teacher/loss`: MLflow shows the charts of a group together.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import mlflow
import numpy as np
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from PIL import Image
from pydantic import BaseModel
from zenml import get_step_context

from discern.learning.trainer import TrainingResult
from discern.progress import duration
from edge_runtime.core.release import Release
from orchestration.lineage import git_commit


def log_origin(dataset_version: str) -> None:
    """Tag the run with what it is made from; the tag `use_case` it has already (`orchestration.experiments`)."""
    origin = {
        "dataset_version": dataset_version,
        "pipeline_run": get_step_context().pipeline_run.name,
        "git_commit": git_commit(),
    }
    mlflow.set_tags({name: value for name, value in origin.items() if value is not None})


def log_release(release: Release) -> None:
    """Tag the run with the release candidate that came of it."""
    mlflow.set_tag("release", release.id)


def keep_reason(error: BaseException) -> None:
    """Describe the run by the error that ended it; ZenML calls this when a step fails."""
    if mlflow.active_run() is not None:
        step = get_step_context().step_run.name
        mlflow.set_tag(MLFLOW_RUN_NOTE, f"{step} failed: {error or type(error).__name__}")


def log_config(prefix: str, config: BaseModel) -> None:
    """Log every leaf of `config` as a parameter `prefix.key.key`."""
    mlflow.log_params({f"{prefix}.{key}": value for key, value in _leaves(config.model_dump()).items()})


def log_figures(group: str, figures: Mapping[str, float], step: int | None = None) -> None:
    """Log each figure as `group/figure`."""
    mlflow.log_metrics({f"{group}/{name}": value for name, value in figures.items()}, step=step)


def logger(group: str) -> Callable[[int, dict[str, float]], None]:
    """A callback that logs the figures of a step in `group`."""
    return lambda step, figures: log_figures(group, figures, step)


def log_result(group: str, result: TrainingResult[Any]) -> str:
    """Log what a training took; returns the same in words, with where its curves are."""
    speed = {
        "seconds": result.seconds,
        "photos_per_second": result.photos_per_second,
        "waiting": result.waiting,
    }
    log_figures(group, speed)
    return f"took {duration(result.seconds)} ({result.photos_per_second:.0f} photos/s). Its curves: {address()}."


def address() -> str:
    """Return where a person finds the active run of the tracker."""
    run = mlflow.active_run()
    if run is None:
        return "not tracked"
    experiment, server = run.info.experiment_id, mlflow.get_tracking_uri()
    if server.startswith("http"):
        return f"{server.rstrip('/')}/#/experiments/{experiment}/runs/{run.info.run_id}"
    name = mlflow.get_experiment(experiment).name
    return f"run {run.info.run_name} of the MLflow experiment {name} (`discern mlflow` shows it)"


def log_pictures(pictures: Mapping[str, Image.Image]) -> None:
    """Log each picture as `pictures/NAME.png`."""
    for name, picture in pictures.items():
        mlflow.log_image(picture, f"pictures/{name}.png")


def log_table(name: str, table: BaseModel, csv: str) -> None:
    """Log a table as `tables/NAME.json` and `tables/NAME.csv`."""
    mlflow.log_dict(table.model_dump(mode="json"), f"tables/{name}.json")
    mlflow.log_text(csv, f"tables/{name}.csv")


def log_model(release: Release) -> None:
    """Log the model of `release` with the run, under the name `model`; its publication registers it."""
    import onnx
    import onnxruntime

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own type hints while this is imported, late if left to it
        import mlflow.onnx
        import mlflow.pyfunc
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

    size, dim = release.preprocessing.size, release.dim
    photos = TensorSpec(np.dtype(np.uint8), (-1, size, size, 3))
    embeddings = TensorSpec(np.dtype(np.float32), (-1, dim))
    mlflow.onnx.log_model(
        onnx.load(release.embedding_model),
        name="model",
        signature=ModelSignature(Schema([photos]), Schema([embeddings])),
        # Named, as MLflow would otherwise load the model in a process of its own to find out.
        pip_requirements=[f"onnxruntime=={onnxruntime.__version__}"],
        save_as_external_data=False,
        metadata={"release": release.id},
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
