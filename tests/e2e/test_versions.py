"""Versions of a data set that grows: what each run starts from, and what an old version is good for afterwards."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from cli.main import main
from discern.datasets.manifest import DatasetVersion
from discern.errors import ConfigError, GateError
from discern.sources.pills import PillsConfig, PillSource
from orchestration.version_names import CHECKED, open_version, pinned
from tests.e2e.conftest import CONFIGS

pytestmark = pytest.mark.long  # several trainings, or several runs of all pipelines

USE_CASE = "grown"
NEVER_CACHED = ("fingerprint_source", "previous_version", "fingerprint_weights", "production_release")
CHANNELS = {"production": "grown", "staging": "grown-staging"}


@dataclass(frozen=True)
class Grown:
    """What became of the data set, run by run.

    Args:
        runs: the data pipeline's: the first version, the same again, more photos that failed a check, still more that
            passed, the same again. Their source is gone by now.
        trained: the training on the first version when it was the newest.
    """

    runs: tuple[Any, ...]
    trained: Any


def newest_run(pipeline: str) -> Any:
    from zenml.client import Client

    client = Client()
    page = client.list_pipeline_runs(pipeline=f"{pipeline}_pipeline", tags=USE_CASE, sort_by="desc:created", size=1)
    return client.get_pipeline_run(page.items[0].id)


def run(folder: Path, name: str, steps: dict[str, Any] | None = None, **parameters: Any) -> Any:
    """Run a pipeline of the tiny use case under another name; returns its run."""
    from pipelines.data import data_pipeline
    from pipelines.promotion import promotion_pipeline
    from pipelines.training import training_pipeline

    pipeline = {"data": data_pipeline, "training": training_pipeline, "promotion": promotion_pipeline}[name]
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    config["parameters"] |= {"use_case": USE_CASE, **parameters}
    config |= {"steps": steps or {}}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    pipeline.with_options(config_path=str(folder / f"{name}.yaml"))()
    return newest_run(name)


def artifact(run: Any, step: str, name: str) -> Any:
    return run.steps[step].outputs[name][0]


def ingested(run: Any) -> Any:
    return artifact(run, "ingest", "ingested")


def places(version: DatasetVersion) -> dict[str, tuple[str, str]]:
    columns = (version.column(name) for name in ("source", "split", "role"))
    return {name: (split, role) for name, split, role in zip(*columns, strict=True)}


def before(run: Any) -> Any:
    """The version that an ingestion grew from."""
    version = artifact(run, "previous_version", "previous_version").load()
    return UUID(version) if version else None


def statuses(run: Any) -> dict[str, str]:
    """The status of each step that may come from the cache."""
    return {name: step.status.value for name, step in run.steps.items() if name not in NEVER_CACHED}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grown")


@pytest.fixture(scope="module")
def grown(zenml_home: Path, folder: Path) -> Grown:
    pills = PillsConfig(families=40, siblings=1, photos_per_class=6, size=48, seed=7)
    photos = iter(sorted(PillSource(pills).photos(), key=lambda photo: (Path(photo.name).name, photo.name)))

    def take(count: int) -> None:
        for photo in islice(photos, count):
            path = folder / "photos" / str(photo.label) / Path(photo.name).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo.load())

    source = {"source": {"kind": "folder", "path": str(folder / "photos")}}
    take(200)
    runs = [run(folder, "data", **source), run(folder, "data", **source)]
    trained = run(folder, "training")
    take(20)
    with pytest.raises(GateError, match="class_counts"):
        run(folder, "data", **source, checks={"min_photos_per_class": 100})
    runs.append(newest_run("data"))
    take(20)
    runs += [run(folder, "data", **source), run(folder, "data", **source)]
    shutil.rmtree(folder / "photos")
    return Grown(tuple(runs), trained)


def test_a_run_without_changes_is_cached(grown: Grown) -> None:
    for number in (1, 4):
        assert set(statuses(grown.runs[number]).values()) == {"cached"}


def test_each_version_grows_from_the_one_before(grown: Grown) -> None:
    first, again, failed, second, _ = grown.runs
    assert before(first) is None
    assert before(again) is None
    assert before(failed) == ingested(first).id
    assert statuses(failed)["gate"] == "failed"
    assert before(second) == ingested(failed).id, "a version that failed its checks counts too"
    assert second.steps["ingest"].inputs["ingested"][0].id == before(second), "ZenML knows what was loaded"
    old, new = ingested(first).load(), ingested(second).load()
    assert places(old).items() <= places(new).items()
    assert set(old.column("shard")) < set(new.column("shard"))


def test_an_old_version_trains_again_from_its_artifact_alone(grown: Grown, folder: Path) -> None:
    """The photos are gone; the teacher is really trained again, and is the same to the last bit."""
    name = ingested(grown.runs[0]).content_hash
    again = run(folder, "training", {"teach": {"enable_cache": False}}, dataset=name)
    assert again.steps["teach"].inputs["dataset"][0].id == artifact(grown.runs[0], "gate", CHECKED).id
    cached = dict.fromkeys(("check", "distil", "assemble", "register", "depict"), "cached")
    assert statuses(again) == {"teach": "completed", **cached}
    teachers = [artifact(one, "teach", "teacher") for one in (grown.trained, again)]
    assert teachers[0].id != teachers[1].id
    assert teachers[0].content_hash == teachers[1].content_hash
    candidate = artifact(again, "assemble", "release_candidate").load()
    assert candidate.manifest.lineage.dataset_version == name


def test_promotion_takes_the_version_that_the_candidate_was_trained_on(grown: Grown, folder: Path) -> None:
    name = f"{USE_CASE}@{artifact(grown.runs[0], 'gate', CHECKED).version}"
    trained = run(folder, "training", dataset=name)
    assert set(statuses(trained).values()) == {"cached"}
    promoted = run(folder, "promotion", channels=CHANNELS)
    inputs = promoted.steps["compare"].inputs
    assert inputs["dataset"][0].id == artifact(grown.runs[0], "gate", CHECKED).id
    assert inputs["candidate"][0].id == artifact(trained, "assemble", "release_candidate").id


def test_only_a_checked_version_of_the_use_case_is_trained_on(grown: Grown, folder: Path) -> None:
    unchecked = ingested(grown.runs[2]).content_hash
    with pytest.raises(ConfigError, match=f"dataset version {unchecked} did not pass its checks"):
        run(folder, "training", dataset=unchecked)
    with pytest.raises(ConfigError, match=r"grown@99 is no dataset version .*: it has grown@\d+, grown@\d+\.$"):
        run(folder, "training", dataset="grown@99")
    with pytest.raises(ConfigError, match="'tiny@1' is of another use case than 'grown'"):
        run(folder, "training", dataset="tiny@1")
    with pytest.raises(ConfigError, match="is of another use case than 'tiny'"):
        pinned(ingested(grown.runs[0]).content_hash, "tiny")
    with pytest.raises(ConfigError, match=r"parameters.dataset: .*write it in quotes"):
        run(folder, "training", dataset=12345678)
    assert pinned(None, USE_CASE).id == pinned(USE_CASE, USE_CASE).id == artifact(grown.runs[3], "gate", CHECKED).id


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["data", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["data", *arguments]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    return sentence


def test_versions_are_listed_newest_first(grown: Grown, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line in said(capsys, "list", USE_CASE) if "passed" in line]
    ids = [ingested(one).content_hash for one in (grown.runs[3], grown.runs[2], grown.runs[0])]
    assert [line.split()[0] for line in lines] == ids
    assert ["not passed" in line for line in lines] == [False, True, False]
    assert [photos for line in lines for photos in ("200", "220", "240") if f" {photos} " in line] == [
        "240",
        "220",
        "200",
    ]
    assert "did you mean 'grown'?" in refused(capsys, "list", "gron")


def test_two_versions_are_compared_by_any_of_their_names(
    grown: Grown, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (ingested(grown.runs[number]) for number in (0, 3))
    numbers = [artifact(grown.runs[number], "gate", CHECKED).version for number in (0, 3)]
    lines = said(capsys, "diff", first.content_hash[:8], USE_CASE)
    assert lines[0] == f"{first.content_hash} -> {second.content_hash}"
    assert "40 photos added" in lines
    assert lines[-1] == "    and 35 more"
    assert said(capsys, "diff", *(f"{USE_CASE}@{number}" for number in numbers)) == lines
    assert said(capsys, "diff", *(f"{version.uri}/manifest.parquet" for version in (first, second))) == lines
    changes = json.loads(said(capsys, "diff", "--json", first.content_hash, second.content_hash)[0])["changes"]
    assert len(changes["added"]) == 40
    assert said(capsys, "diff", USE_CASE, USE_CASE)[-1] == "no difference"


def test_a_version_is_restored_by_its_name(grown: Grown, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, "restore", ingested(grown.runs[0]).content_hash, str(folder / "restored"))[-1]
    assert line.endswith("200 pictures of 40 classes, and photos.csv.")
    assert len(list((folder / "restored").glob("*/*.jpg"))) == 200
    assert "is not an empty folder" in refused(capsys, "restore", USE_CASE, str(folder / "restored"))


def test_a_name_that_means_nothing_is_one_sentence(grown: Grown, capsys: pytest.CaptureFixture[str]) -> None:
    name = ingested(grown.runs[0]).content_hash
    typo = name[:-1] + ("0" if name[-1] != "0" else "1")
    assert f"did you mean {name!r}?" in refused(capsys, "diff", USE_CASE, typo)
    assert "is neither a dataset version nor a use case in the stack 'local'" in refused(
        capsys, "diff", "zzz", USE_CASE
    )
    assert "it has none" in refused(capsys, "diff", "nobody@1", USE_CASE)
    assert "does not exist" in refused(capsys, "restore", "nowhere/manifest.parquet", "x")


def test_a_version_outlives_its_runs(grown: Grown) -> None:
    """Last: it takes the runs away."""
    from zenml.client import Client

    version = artifact(grown.runs[0], "gate", CHECKED)
    for one in grown.runs:
        Client().delete_pipeline_run(one.id)
    assert pinned(version.content_hash, USE_CASE).id == version.id
    assert len(open_version(version.content_hash)) == 200
