"""What the stack's experiment tracker gets to see of a training."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import mlflow
import numpy as np
from PIL import Image
from pydantic import BaseModel

from discern.learning.trainer import TrainingResult
from edge_runtime.core.release import Release

# ZenML tells at every step that it cannot switch off the autologging of libraries that are not installed.
logging.getLogger("zenml.integrations.mlflow.experiment_trackers.mlflow_experiment_tracker").addFilter(
    lambda record: "disable MLflow autologging" not in str(record.msg)
)
# MLflow asks for the version of pip, which an environment that uv made does not hold.
logging.getLogger("mlflow.utils.environment").addFilter(lambda record: "pip version" not in str(record.msg))


def log_config(prefix: str, config: BaseModel) -> None:
    """Log every leaf of `config` as a parameter `prefix.key.key`."""
    mlflow.log_params({f"{prefix}.{key}": value for key, value in _leaves(config.model_dump()).items()})


def logger(prefix: str) -> Callable[[int, dict[str, float]], None]:
    """A callback that logs the figures of a step as `prefix_figure`."""

    def log(step: int, figures: dict[str, float]) -> None:
        mlflow.log_metrics({f"{prefix}_{name}": value for name, value in figures.items()}, step=step)

    return log


def log_result(prefix: str, result: TrainingResult[Any]) -> None:
    """Log what a training took."""
    mlflow.log_metrics(
        {
            f"{prefix}_seconds": result.seconds,
            f"{prefix}_photos_per_second": result.photos_per_second,
            f"{prefix}_waiting": result.waiting,
        }
    )


def log_pictures(pictures: Mapping[str, Image.Image]) -> None:
    """Log each picture as `pictures/NAME.png`."""
    for name, picture in pictures.items():
        mlflow.log_image(picture, f"pictures/{name}.png")


def log_table(name: str, table: BaseModel, csv: str) -> None:
    """Log a table as `tables/NAME.json` and `tables/NAME.csv`."""
    mlflow.log_dict(table.model_dump(mode="json"), f"tables/{name}.json")
    mlflow.log_text(csv, f"tables/{name}.csv")


def log_model(release: Release) -> None:
    """Log the model of `release` with the run, under the name `model`; nothing is registered."""
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
