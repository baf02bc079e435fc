"""The MLflow experiment of a use case, and what ZenML's tracker must be told before it opens a run in it.

The tracker would otherwise put all use cases into one experiment, named after the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discern.errors import ConfigError
from orchestration import storage_layout

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SETTINGS_KEY = "experiment_tracker.mlflow"  # for any MLflow tracker, whatever a stack calls it
SQLITE = "sqlite:///"


def tracker_settings(use_case: str, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return ZenML's `settings` by which a run is tracked in the experiment of its use case.

    Args:
        use_case: the name of the experiment, and a tag of the run.
        configured: the settings of a run config; what they say of the tracker stands.
    """
    further = dict(configured.get(SETTINGS_KEY) or {})
    tags = {"use_case": use_case} | (further.pop("tags", None) or {})
    return {SETTINGS_KEY: {"experiment_name": use_case, **further, "tags": tags}}


def prepare_experiment(name: str, tracking_uri: str) -> None:
    """Make the experiment where MLflow keeps its runs in a file: its artifacts would otherwise lie in `./mlruns`.

    A server makes it itself when the first run is opened, and decides where artifacts lie.

    Raises:
        ConfigError: the experiment was deleted, and MLflow takes no run into it.
    """
    if not tracking_uri.startswith(SQLITE):
        return
    from mlflow.entities import LifecycleStage
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        _create(client, name)
    elif experiment.lifecycle_stage == LifecycleStage.DELETED:
        raise ConfigError(
            f"The MLflow experiment {name!r} was deleted, and MLflow keeps its name: restore it by `mlflow experiments "
            f"restore --experiment-id {experiment.experiment_id}` with MLFLOW_TRACKING_URI={tracking_uri}."
        )


def _create(client: MlflowClient, name: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

    try:
        client.create_experiment(name, artifact_location=_artifacts())
    except MlflowException as error:  # another training may have made it a moment ago
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise


def _artifacts() -> str:
    root = storage_layout.root()
    return f"{root}/mlflow" if "://" in root else (Path(root) / "mlflow" / "artifacts").as_uri()
