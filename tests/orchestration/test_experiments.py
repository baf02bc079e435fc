"""The experiments of use cases, and where their artifacts lie."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mlflow.tracking import MlflowClient
from zenml.client import Client

from discern.errors import ConfigError
from orchestration import experiments
from orchestration.experiments import prepare_experiment


def database(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def artifacts(uri: str, name: str) -> str:
    experiment = MlflowClient(uri).get_experiment_by_name(name)
    assert experiment is not None
    return str(experiment.artifact_location)


def test_without_a_bucket_artifacts_lie_in_the_home(local_stack: Path, tmp_path: Path) -> None:
    for _ in range(2):
        prepare_experiment("parts", database(tmp_path))
    location = unquote(urlsplit(artifacts(database(tmp_path), "parts")).path)
    root = Path(Client().active_stack.artifact_store.path).parent
    assert Path(location) == root / "mlflow" / "artifacts"


@pytest.mark.usefixtures("s3_environment", "local_stack")
def test_with_a_bucket_they_lie_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.main import main

    monkeypatch.setenv("DISCERN_BUCKET", "experiments")
    assert main(["stack", "apply", "local-s3", "--create-bucket"]) == 0
    Client().activate_stack("local-s3")
    prepare_experiment("parts", database(tmp_path))
    assert artifacts(database(tmp_path), "parts") == "s3://experiments/mlflow"


@pytest.mark.usefixtures("local_stack")
def test_another_training_may_make_it_at_the_same_moment(tmp_path: Path) -> None:
    client = MlflowClient(database(tmp_path))
    for _ in range(2):
        experiments._create(client, "parts")
    assert [experiment.name for experiment in client.search_experiments(filter_string="name = 'parts'")] == ["parts"]


@pytest.mark.usefixtures("local_stack")
def test_a_deleted_one_is_one_sentence_with_its_mend(tmp_path: Path) -> None:
    client = MlflowClient(database(tmp_path))
    number = client.create_experiment("parts")
    client.delete_experiment(number)
    with pytest.raises(ConfigError, match=f"'parts' was deleted.*experiments restore --experiment-id {number}"):
        prepare_experiment("parts", database(tmp_path))
    client.restore_experiment(number)
    prepare_experiment("parts", database(tmp_path))


def test_a_server_decides_for_itself() -> None:
    prepare_experiment("parts", "http://127.0.0.1:9")
