"""MLflow's registered model of a use case: one version a release, and the aliases `champion` and `challenger`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST, ErrorCode
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError
from zenml.utils.env_utils import temporary_environment

from edge_runtime.core.release import ReleaseManifest
from orchestration.mirrors import ROLES, Role, Standing

TAG = "release"  # of a model version
ALIASES: Mapping[Role, str] = {"production": "champion", "staging": "challenger"}
# MLflow's own patience is minutes, which a mirror is not worth; what a person set counts.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


class MLflowAliases:
    """The aliases of a registered model.

    Args:
        use_case: the model's name.
        tracker: the stack's experiment tracker, which knows address and credentials.
        describe: returns the manifest of a release, and where it lies.
    """

    kind: ClassVar[str] = "MLflow"
    names: ClassVar[Mapping[Role, str]] = {role: f"the alias {alias}" for role, alias in ALIASES.items()}
    errors: ClassVar[tuple[type[Exception], ...]] = (MlflowException, SQLAlchemyError, OSError)

    def __init__(self, use_case: str, tracker: Any, describe: Callable[[str], tuple[ReleaseManifest, str]]) -> None:
        self.use_case = use_case
        self._tracker = tracker
        self._describe = describe

    def read(self) -> Standing:
        """Return the releases of the two versions that have an alias."""
        with self._client() as client:
            try:
                versions = client.get_registered_model(self.use_case).aliases
            except MlflowException as error:
                if _is(error, RESOURCE_DOES_NOT_EXIST):
                    return Standing()
                raise
            named = {role: versions.get(alias) for role, alias in ALIASES.items()}
            return Standing(**{role: self._release(client, named[role]) for role in ROLES})

    def set(self, role: Role, release: str) -> None:
        """Give an alias to the version of a release, which is made where it is missing."""
        with self._client() as client:
            client.set_registered_model_alias(self.use_case, ALIASES[role], self._version(client, release))

    def clear(self, role: Role, release: str) -> None:  # noqa: ARG002
        """Take an alias away."""
        with self._client() as client:
            client.delete_registered_model_alias(self.use_case, ALIASES[role])

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        with temporary_environment({name: os.environ.get(name, value) for name, value in PATIENCE.items()}):
            self._tracker.configure_mlflow()
            yield MlflowClient(self._tracker.get_tracking_uri())

    def _release(self, client: MlflowClient, version: str | None) -> str | None:
        """Return the release of a version; a version that somebody else made is of none, and is named by its number."""
        if version is None:
            return None
        return str(client.get_model_version(self.use_case, version).tags.get(TAG) or f"version {version}")

    def _version(self, client: MlflowClient, release: str) -> str:
        made = client.search_model_versions(f"name = '{self.use_case}' and tags.{TAG} = '{release}'", max_results=1)
        return str(made[0].version if made else self._make(client, release))

    def _make(self, client: MlflowClient, release: str) -> str:
        try:
            client.create_registered_model(self.use_case)
        except MlflowException as error:
            if not _is(error, RESOURCE_ALREADY_EXISTS):
                raise
        manifest, address = self._describe(release)
        origin = _logged_model(client, manifest.lineage.mlflow_run) or {"source": address}
        made = client.create_model_version(self.use_case, tags={TAG: release}, await_creation_for=0, **origin)
        return str(made.version)


def _logged_model(client: MlflowClient, run: str | None) -> dict[str, str]:
    """Return what a version says of the training that made its model; empty where this MLflow knows none."""
    try:
        experiment = client.get_run(run).info.experiment_id if run else None
    except MlflowException as error:
        if _is(error, RESOURCE_DOES_NOT_EXIST):
            return {}
        raise
    logged = client.search_logged_models([experiment], f"source_run_id = '{run}'") if experiment else []
    if not (run and logged):
        return {}
    return {"source": logged[0].artifact_location, "run_id": run, "model_id": logged[0].model_id}


def _is(error: MlflowException, code: Any) -> bool:
    return bool(error.error_code == ErrorCode.Name(code))
