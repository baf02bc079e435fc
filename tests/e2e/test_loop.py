"""From photos to an answer on the device, and what a second run, a loser and a failed check do. In this order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from discern.errors import ConfigError, DataError, GateError, TrainingError
from discern.evaluation.plots.confusions import ConfusionTable
from discern.reports.decision_record import DecisionRecord
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import decode
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull
from tests.e2e.conftest import Workplace
from tests.e2e.released import check_classes

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient


NEVER_CACHED = ("fingerprint_source", "previous_version", "fingerprint_weights", "production_release")


def cached(run: Any) -> dict[str, bool]:
    """Which steps came from the cache, of those that may."""
    return {name: step.status.value == "cached" for name, step in run.steps.items() if name not in NEVER_CACHED}


def live(loop: Workplace) -> str | None:
    from discern.publication.repository import ReleaseRepository

    return ReleaseRepository(str(loop.home / "releases"), loop.home / "keys").current("production")


def test_the_candidate_went_live(loop: Workplace) -> None:
    publication = loop.output("promotion", "publication")
    candidate = loop.output("training", "release_candidate")
    assert publication.channel == "production"
    assert publication.release == candidate.id == live(loop)


def test_everything_lies_in_the_layout_of_a_bucket(loop: Workplace) -> None:
    assert {path.name for path in loop.home.iterdir() if path.is_dir()} >= {"zenml", "datasets", "releases", "reports"}
    assert list((loop.home / "datasets" / "shards").iterdir())
    assert not list((loop.home / "checkpoints").glob("*")), "a finished training leaves no checkpoint"


def test_the_lineage_is_complete(loop: Workplace) -> None:
    lineage = loop.output("training", "release_candidate").manifest.lineage
    assert lineage.dataset_version == loop.output("data", "dataset_version").id
    assert lineage.pipeline_run == loop.newest_run("training").name
    assert lineage.git_commit
    assert lineage.mlflow_run


def test_the_model_control_plane_knows_the_stage(loop: Workplace) -> None:
    from zenml.client import Client

    version = Client().get_model_version("tiny", "production")
    assert version.name == live(loop)
    links = Client().list_model_version_artifact_links(model_version_id=version.id).items
    names = {link.artifact_version.artifact.name for link in links}
    assert names == {"teacher", "student", "release_candidate", "test_metrics"}


def tracked(loop: Workplace) -> tuple[MlflowClient, Run]:
    """MLflow, and the run of the training."""
    from mlflow.tracking import MlflowClient
    from zenml.client import Client

    tracker = Client().active_stack.experiment_tracker
    assert tracker is not None
    client = MlflowClient(tracker.get_tracking_uri())  # type: ignore[attr-defined]
    return client, client.get_run(loop.output("training", "release_candidate").manifest.lineage.mlflow_run)


def test_mlflow_has_parameters_and_curves(loop: Workplace) -> None:
    _, run = tracked(loop)
    assert run.data.params["teacher.model.backbone"] == "resnet10t"
    assert {"image.size", "gallery.represent", "packaging.fpir", "numeric_format"} <= set(run.data.params)
    assert {
        "teacher/loss",
        "student/loss",
        "test/accuracy",
        "validation/fpir",
        "teacher/validation_recall_at_1",
        "numeric_format/fp32/latency_ms",
        "numeric_format/int8/agreement",
    } <= set(run.data.metrics)
    assert "test/unseen_tpir" not in run.data.metrics, "all enrolled classes are unseen: it is test/tpir"


def test_mlflow_finds_the_run_by_its_use_case_and_by_what_it_is_of(loop: Workplace) -> None:
    client, run = tracked(loop)
    candidate = loop.output("training", "release_candidate")
    assert client.get_experiment(run.info.experiment_id).name == "tiny"
    assert run.info.run_name == candidate.manifest.lineage.pipeline_run
    assert run.info.run_name.startswith("tiny-training-20")
    expected = {
        "use_case": "tiny",
        "release": candidate.id,
        "dataset_version": candidate.manifest.lineage.dataset_version,
    }
    assert expected.items() <= run.data.tags.items()


def test_mlflow_has_the_pictures_and_the_table(loop: Workplace, tmp_path: Path) -> None:
    client, run = tracked(loop)
    folder = Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
    pictures = {path.stem: decode(path.read_bytes()) for path in (folder / "pictures").iterdir()}
    assert set(pictures) == {"retrieval_grid", "confusion_pairs", "embedding_map", "reliability"}
    assert all(max(picture.shape) < 5000 for picture in pictures.values())
    table = ConfusionTable.model_validate_json((folder / "tables" / "confusion_pairs.json").read_bytes())
    assert table.pairs
    assert (folder / "tables" / "confusion_pairs.csv").read_text() == table.csv()


def test_mlflow_has_the_model_that_ships_which_is_the_champion(loop: Workplace, tmp_path: Path) -> None:
    from mlflow.artifacts import download_artifacts

    client, run = tracked(loop)
    candidate = loop.output("training", "release_candidate")
    (model,) = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    folder = Path(download_artifacts(artifact_uri=model.artifact_location, dst_path=str(tmp_path)))
    queries = loop.output("data", "dataset_version").select(split="test", role="query")
    pixels = np.stack([candidate.preprocessing.apply(queries.pixels(row)) for row in range(3)])
    theirs, ours = (OnnxEmbedder(path / "model.onnx", candidate.preprocessing) for path in (folder, candidate.folder))
    assert np.array_equal(theirs.embed(pixels), ours.embed(pixels))
    assert model.name == "model"
    champion = client.get_model_version_by_alias("tiny", "champion")
    assert (champion.tags["release"], champion.run_id) == (candidate.id, run.info.run_id)
    assert champion.source == model.artifact_location


def test_the_training_page_is_a_page_of_the_dashboard(loop: Workplace) -> None:
    page = loop.output("training", "candidate_pictures")
    assert loop.output("training", "release_candidate").id in page
    assert all(title in page for title in ("Figures", "nearest classes", "Map of the embeddings", "Reliability"))


def decision_page(loop: Workplace, candidate: str | None, production: str | None) -> Path:
    """The page of the one decision on a candidate."""
    (page,) = (loop.home / "reports" / "promotion").glob(f"{candidate}-against-{production}-*.html")
    return page


def test_the_index_of_reports_leads_to_the_version_its_release_and_the_decision(loop: Workplace) -> None:
    version, reports = loop.output("data", "dataset_version").id, loop.home / "reports"
    index = (reports / "index.html").read_text()
    decision = decision_page(loop, live(loop), "nothing")
    for page in (
        f"data/tiny/{version}/index.html",
        f"training/tiny/{live(loop)}/index.html",
        str(decision.relative_to(reports)),
    ):
        assert f'href="{page}"' in index
        assert (reports / page).stat().st_size > 1000


def test_the_device_answers_as_evaluated(loop: Workplace, tmp_path: Path) -> None:
    """What is evaluated is what ships: the device's own share of right answers is the release's metric."""
    pull(str(loop.home / "releases"), tmp_path / "device", trusted_root=loop.home / "keys" / "root.json")
    release = Home(tmp_path / "device").open_current()
    dataset = loop.output("data", "dataset_version")
    known = dataset.select(split="test", role="gallery").labels  # of the others queries are enrolled
    queries = dataset.select(split="test", role="query", labels=known)
    identifier = Identifier(release)
    answers = [identifier.identify(queries.image_bytes(row)) for row in range(len(queries))]
    right = [answer.label == label for answer, label in zip(answers, queries.column("label"), strict=True)]
    assert sum(right) / len(right) == pytest.approx(release.manifest.metrics["tpir"])


def test_every_class_is_on_the_device_and_the_page_says_what_was_measured_on_which(
    loop: Workplace, tmp_path: Path
) -> None:
    pull(str(loop.home / "releases"), tmp_path / "device", trusted_root=loop.home / "keys" / "root.json")
    check_classes(Identifier(Home(tmp_path / "device").open_current()), loop, 40)


def test_the_device_answers_with_the_network_cut(loop: Workplace, tmp_path: Path) -> None:
    pull(str(loop.home / "releases"), tmp_path / "device", trusted_root=loop.home / "keys" / "root.json")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(loop.output("data", "dataset_version").image_bytes(0))
    command = [
        sys.executable,
        "-m",
        "edge_runtime.service.cli",
        "--home",
        str(tmp_path / "device"),
        "identify",
        "--json",
        str(photo),
    ]
    unshare = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no network namespaces")
    child = subprocess.run([*unshare, *command], capture_output=True, text=True, check=True)
    assert json.loads(child.stdout)["release"] == live(loop)


def test_a_second_run_is_cached_and_makes_no_model_version(loop: Workplace) -> None:
    from zenml.client import Client

    before = live(loop)
    versions = {version.name for version in Client().list_model_versions(model="tiny").items}
    for name in ("data", "training", "promotion"):
        loop.run(name)
    assert all(cached(loop.newest_run("data")).values())
    assert all(cached(loop.newest_run("training")).values())
    assert loop.output("promotion", "publication").channel is None
    loop.run("promotion")
    assert cached(loop.newest_run("promotion")) == {"compare": True, "publish": False}
    assert live(loop) == before
    assert {version.name for version in Client().list_model_versions(model="tiny").items} == versions


def test_a_losing_candidate_changes_nothing_and_its_report_is_kept(loop: Workplace) -> None:
    from zenml.client import Client

    before = live(loop)
    loop.run("training", packaging={"fpir": 0.2, "golden_images": 3})  # another release of the same answers
    loser = loop.output("training", "release_candidate").id
    assert loser != before
    loop.run("promotion")
    publication = loop.output("promotion", "publication")
    assert publication.release == loser
    assert publication.channel is None
    assert re.search("better on accuracy|enough to tell", publication.reason)
    assert live(loop) == before == Client().get_model_version("tiny", "production").name
    report = decision_page(loop, loser, before)
    assert "Not promoted" in report.read_text()
    assert "| better on accuracy | failed |" in report.with_suffix(".md").read_text()
    record = DecisionRecord.model_validate_json(report.with_suffix(".decision.json").read_bytes())
    assert (record.candidate, record.production, record.outcome) == (loser, before, "refused")


def test_a_student_is_taught_again_by_an_earlier_teacher(loop: Workplace) -> None:
    from zenml.client import Client

    teacher = Client().get_artifact_version("teacher", "1")
    loop.run("training", teacher_version=str(teacher.version), distillation={"cosine": 3.0})
    run = loop.newest_run("training")
    assert "teach" not in run.steps
    assert run.steps["distil"].inputs["teacher"][0].id == teacher.id
    candidate = loop.output("training", "release_candidate").id
    links = (
        Client()
        .list_model_version_artifact_links(model_version_id=Client().get_model_version("tiny", candidate).id)
        .items
    )
    assert {link.artifact_version.artifact.name for link in links} == {
        "teacher",
        "student",
        "release_candidate",
        "test_metrics",
    }
    for wrong, complaint in (("77", "no version '77' of the artifact 'teacher'"), (str(links[0].id), "no version")):
        with pytest.raises(ConfigError, match=complaint):
            loop.run("training", teacher_version=wrong)
    with pytest.raises(TrainingError, match=r"The teacher was trained on photos of .* and `image` is \{size: 40, fit"):
        loop.run("training", teacher_version=str(teacher.version), image={"size": 40})
    student = run.steps["distil"].outputs["student"][0].id
    with pytest.raises(ConfigError, match="is no 'teacher' in the artifact store of the stack"):
        loop.run("training", teacher_version=str(student))


def test_a_version_of_which_no_release_could_come_is_refused_before_it_trains(loop: Workplace) -> None:
    with pytest.raises(DataError, match="The validation split has no query of an enrolled class"):
        loop.run("training", gallery={"splits": ["train"]})
    assert set(loop.newest_run("training").steps) == {"fingerprint_weights", "check"}


def test_all_that_would_end_a_training_is_told_before_one_begins(loop: Workplace) -> None:
    lost = {"model": {"backbone": "resnet10t", "weights": "/nowhere/weights.pt", "embedding_dim": 9}, "steps": 1}
    told = r"has no query of an enrolled class[^\n]*\n.*embedding_dim is 9.*\nThe weights /nowhere"
    with pytest.raises(TrainingError, match=told):
        loop.run("training", gallery={"splits": ["train"]}, student=lost)
    assert set(loop.newest_run("training").steps) == {"fingerprint_weights", "check"}


def test_manual_approval_stops_at_staging(loop: Workplace) -> None:
    from zenml.client import Client

    from discern.publication.repository import ReleaseRepository

    before = live(loop)
    lenient = {
        "worse_by": 1.0,
        "class_loses": 1.0,
        "tnir_worse_by": 1.0,
        "least_recall_at_1": 0,
        "least_tpir": 0,
        "least_tnir": 0,
        "least_precision": 0,
    }
    loop.run(
        "promotion",
        approval="manual",
        gates=lenient,
        channels={"production": "nobody-yet", "staging": "staging"},
    )
    waiting = loop.output("promotion", "publication")
    assert waiting.channel == "staging"
    assert ReleaseRepository(str(loop.home / "releases"), loop.home / "keys").current("staging") == waiting.release
    assert live(loop) == before
    assert Client().get_model_version("tiny", "staging").name == waiting.release


def test_a_failed_check_stops_what_depends_on_it(loop: Workplace) -> None:
    good = loop.output("data", "dataset_version").id
    with pytest.raises(GateError, match=r"fails 1 of .* class_counts \("):
        loop.run("data", checks={"min_photos_per_class": 100})
    run = loop.newest_run("data")
    assert run.status.value == "failed"
    assert run.steps["check"].status.value == "completed", "the report is kept"
    assert "dataset_version" not in {name for step in run.steps.values() for name in step.outputs}
    assert loop.output("data", "dataset_version").id == good, "a later pipeline takes the last good version"


def test_a_waived_check_lets_it_through(loop: Workplace) -> None:
    loop.run("data", checks={"min_photos_per_class": 100, "waive": {"class_counts": "a tiny set for a test"}})
    report = loop.output("data", "check_report")
    assert report.passed
    assert [one.waived for one in report.conditions if not one.passed] == ["a tiny set for a test"]


def test_another_use_case_finds_nothing(loop: Workplace) -> None:
    from orchestration.artifact_lookup import newest_output

    with pytest.raises(ConfigError, match="holds no 'dataset_version' of a completed data_pipeline of 'other'"):
        newest_output("data_pipeline", "dataset_version", "other")


def test_a_model_is_released_as_its_weights_are_and_promotion_finds_it(loop: Workplace) -> None:
    import torch
    from zenml.client import Client

    weights = loop.folder / "backbone.pt"
    model = Client().get_artifact_version("teacher", "1").load()
    torch.save(model.backbone.state_dict(), weights)
    config = {"model": {"backbone": model.config.backbone, "options": model.config.options, "weights": str(weights)}}
    loop.run("training", teacher="none", student=config)
    run = loop.newest_run("training")
    assert set(run.steps) == {"fingerprint_weights", "check", "embedder", "assemble", "register", "depict"}
    candidate = loop.output("training", "release_candidate")
    assert candidate.dim == 128
    assert run.steps["assemble"].inputs["student"][0].id == run.steps["embedder"].outputs["student"][0].id
