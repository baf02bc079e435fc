"""The bucket of a stack, and where MLflow's artifacts lie."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from mlflow.tracking import MlflowClient

from discern.errors import ConfigError
from stacks.buckets import prepare
from stacks.spec import StackSpec, read_spec


def artifact_location(spec: StackSpec) -> str:
    client = MlflowClient(spec.components["experiment_tracker"][0].configuration["tracking_uri"])
    experiment = client.get_experiment_by_name("training_pipeline")
    assert experiment is not None
    return str(experiment.artifact_location)


def test_without_a_bucket_artifacts_lie_beside_their_database(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    (home / "mlflow").mkdir(parents=True)
    spec = read_spec("local", {"DISCERN_HOME": str(home)})
    for _ in range(2):
        prepare(spec)
        assert unquote(urlsplit(artifact_location(spec)).path) == str(home / "mlflow" / "artifacts")


@pytest.mark.usefixtures("s3_environment")
def test_with_a_bucket_they_lie_in_it(tmp_path: Path) -> None:
    (tmp_path / "mlflow").mkdir()
    spec = read_spec("local-s3", {"DISCERN_HOME": str(tmp_path), "DISCERN_BUCKET": "stacks-bucket"})
    with pytest.raises(ConfigError, match=r"stacks-bucket.*--create-bucket"):
        prepare(spec)
    prepare(spec, create_bucket=True)
    prepare(spec)
    assert "stacks-bucket" in {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}
    assert artifact_location(spec) == "s3://stacks-bucket/mlflow"


def test_a_server_decides_for_itself(tmp_path: Path) -> None:
    spec = read_spec("local", {"DISCERN_HOME": str(tmp_path)})
    tracker = spec.components["experiment_tracker"][0]
    served = tracker.model_copy(update={"configuration": {"tracking_uri": "http://127.0.0.1:9"}})
    prepare(spec.model_copy(update={"components": {**spec.components, "experiment_tracker": [served]}}))
    assert list(tmp_path.iterdir()) == []
