"""A step runs on a machine that has the code, the stack and the bucket, and neither this folder nor DISCERN_HOME."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from zenml.client import Client

from discern.publication.keys import ROLES
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import Release
from tests.discern.pictures import fill

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = ("discern", "edge_runtime", "orchestration", "steps")
BUCKET = "another-machine"
USE_CASE = "remote"
# The steps' functions, one after the other; what they say goes to the standard output.
CHILD = """
import json, sys
from pathlib import Path
from zenml.client import Client
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.splits.assign import SplitConfig
from discern.evaluation.gates import PromotionDecision
from discern.quality.checks import CheckConfig
from edge_runtime.core.release import Release
from orchestration.materializers import ReleaseMaterializer
from steps.data.check import check
from steps.data.fingerprint_source import fingerprint_source
from steps.data.ingest import ingest
from steps.data.previous_version import previous_version
from steps.promotion.production_release import production_release
from discern.publication.channels import Channels
from steps.promotion.publish import publish

source = {"kind": "folder", "path": "s3://BUCKET/photos"}
splits = SplitConfig(validation_share=0.3, test_share=0.3)
fingerprint = fingerprint_source.entrypoint(source)
parameters = {"source": source, "splits": splits.model_dump()}
previous = previous_version.entrypoint("USE_CASE", fingerprint, parameters)
version, rejected = ingest.entrypoint(source, fingerprint, splits, CleaningConfig(), previous=previous)
check.entrypoint(version, rejected, "USE_CASE", CheckConfig(samples_per_split=32), 0.01)
store = Client().active_stack.artifact_store
candidate = ReleaseMaterializer("s3://BUCKET/zenml/candidate", store).load(Release)
before = production_release.entrypoint(None, "production")
decision = PromotionDecision(promote=True, reason="better", gates=())
publication = publish.entrypoint(candidate, decision, "USE_CASE", None, "automatic", Channels(), before)
print(json.dumps({
    "photos": len(version), "shards": version.shards, "id": version.id, "before": before,
    "after": production_release.entrypoint(None, "production"), "repository": publication.repository,
    "code": sys.modules["discern"].__file__,
}))
""".replace("BUCKET", BUCKET).replace("USE_CASE", USE_CASE)


@pytest.fixture
def stack_in_the_bucket(zenml_database: Path, s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The stack local-s3 with its bucket; the environment that a remote step has: the stack's, and no more."""
    from cli.main import main

    monkeypatch.setenv("DISCERN_BUCKET", BUCKET)
    assert main(["stack", "apply", "local-s3", "--create-bucket"]) == 0
    given = {name: value for name, value in os.environ.items() if name.startswith(("ZENML_", "AWS_"))}
    del given["ZENML_REPOSITORY_PATH"], given["ZENML_CUSTOM_SOURCE_ROOT"]
    return {
        **given,
        "ZENML_ACTIVE_STACK_ID": str(Client().get_stack("local-s3").id),
        "PATH": os.environ["PATH"],
        "OMP_NUM_THREADS": "1",
        "DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY": "1",
    }


@pytest.fixture
def _signing_keys(tmp_path: Path, stack_in_the_bucket: dict[str, str]) -> Iterator[None]:
    """A repository in the bucket; its private keys are in ZenML's secret store alone."""
    keys = tmp_path / "keys"
    ReleaseRepository(f"s3://{BUCKET}/releases", keys).initialise()
    signers = {role: f"env:REMOTE_{role.upper()}_KEY" for role in ROLES}
    s3 = boto3.client("s3")
    s3.put_object(Bucket=BUCKET, Key="keys/signers.json", Body=json.dumps(signers).encode())
    s3.put_object(Bucket=BUCKET, Key="keys/root.json", Body=(keys / "root.json").read_bytes())
    Client().create_secret(
        "signing-keys", {f"REMOTE_{role.upper()}_KEY": (keys / f"{role}.pem").read_text() for role in ROLES}
    )
    shutil.rmtree(keys)
    yield
    Client().delete_secret("signing-keys")


@pytest.fixture
def _candidate(toy_release: Release, stack_in_the_bucket: dict[str, str]) -> Iterator[None]:
    """A release candidate in the artifact store, which the Model Control Plane knows."""
    s3 = boto3.client("s3")
    names = ["release.json", *toy_release.manifest.files]
    for name in names:
        s3.upload_file(str(toy_release.folder / name), BUCKET, f"zenml/candidate/{name}")
    s3.put_object(Bucket=BUCKET, Key="zenml/candidate/files.json", Body=json.dumps(names).encode())
    Client().create_model(name=USE_CASE, save_models_to_registry=False)
    Client().create_model_version(USE_CASE, name=toy_release.id)
    yield
    Client().delete_model(USE_CASE)


@pytest.mark.long
@pytest.mark.usefixtures("_signing_keys", "_candidate")
def test_data_and_promotion_steps_run_with_the_code_and_the_stack_alone(
    tmp_path: Path, stack_in_the_bucket: dict[str, str], toy_release: Release
) -> None:
    s3 = boto3.client("s3")
    photos = fill(tmp_path / "photos", classes=12, each=6)
    for path in photos.rglob("*.jpg"):
        s3.upload_file(str(path), BUCKET, f"photos/{path.relative_to(photos)}")
    code, empty = tmp_path / "code", tmp_path / "empty"
    for name in CODE:
        shutil.copytree(REPOSITORY / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    empty.mkdir()
    environment = {
        **stack_in_the_bucket,
        "PYTHONPATH": str(code),
        "ZENML_CUSTOM_SOURCE_ROOT": str(code),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(empty),
        "DISCERN_CACHE": str(tmp_path / "cache"),
    }
    child = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=empty, env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr[-3000:]
    said = json.loads(child.stdout.strip().splitlines()[-1])
    assert said["code"] == str(code / "discern" / "__init__.py")
    assert said["photos"] == 72
    assert said["shards"] == f"s3://{BUCKET}/datasets/shards"
    assert (said["before"], said["after"]) == ("", toy_release.id)
    assert said["repository"] == f"s3://{BUCKET}/releases"
    page = s3.get_object(Bucket=BUCKET, Key=f"reports/data/{USE_CASE}/{said['id']}/index.html")
    assert page["Body"].read(15) == b"<!doctype html>"
    assert not list(empty.rglob("*.pem"))
