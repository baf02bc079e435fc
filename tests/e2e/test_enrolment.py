"""New things are enrolled by the command, devices know them, and the next dataset version holds them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import main
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.workers import class_photos
from edge_runtime.core.index import GRAPH_FILE, VECTORS_FILE
from edge_runtime.core.release import MODEL_FILE, Release
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull
from tests.e2e.conftest import CONFIGS, PIPELINES, Workplace

LAX = {"least_found": 0.0, "tpir_worse_by": 1.0, "tnir_worse_by": 1.0, "worse_than_trained_by": 1.0}
CHANNELS = {"production": "enrol-production", "staging": "enrol-staging"}


@pytest.fixture(scope="module")
def use_case(zenml_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A use case of its own that was promoted; its enrolments go through whatever they do, for the net is tiny."""
    folder = tmp_path_factory.mktemp("enrolled") / "configs" / "enrolling"
    shutil.copytree(CONFIGS, folder)
    promotion = folder / "promotion.yaml"
    config = yaml.safe_load(promotion.read_text())
    config["parameters"]["channels"] = CHANNELS
    promotion.write_text(yaml.safe_dump(config))
    (folder / "enrolment.yaml").write_text(yaml.safe_dump({"parameters": {"gates": LAX}}))
    workplace = Workplace(zenml_home, folder)
    for name in PIPELINES:
        workplace.run(name, **({"channels": CHANNELS} if name == "promotion" else {}))
    return workplace


@pytest.fixture
def new_parts(tmp_path: Path) -> Path:
    """A folder of photos for each of two new classes."""
    for photo in class_photos(PillsConfig(families=2, photos_per_class=4, size=48, seed=99), range(2)):
        path = tmp_path / "new" / f"new-{photo.label}" / Path(photo.name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo.load())
    return tmp_path / "new"


@pytest.fixture
def discern(use_case: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command as a person does, in the folder that holds the configs; returns what it tells as JSON."""
    monkeypatch.chdir(use_case.folder.parents[1])

    def run(*arguments: str) -> dict[str, Any]:
        assert main([*arguments, "--json"]) == 0
        told: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return told

    return run


def pulled(use_case: Workplace) -> Release:
    device = use_case.folder / "device"
    root = None if device.exists() else use_case.home / "keys" / "root.json"
    pull(str(use_case.home / "releases"), device, CHANNELS["production"], trusted_root=root)
    return Home(device).open_current()


def test_a_new_thing_is_known_by_devices_and_by_the_next_training(
    use_case: Workplace, new_parts: Path, discern: Any
) -> None:
    before = pulled(use_case)
    gone = before.labels[0]
    told = discern("enrol", "enrolling", "--from", str(new_parts), "--by", "Ana", "--why", "a new box")
    assert told["channel"] == CHANNELS["production"]
    assert Path(told["report"]).is_file()
    told = discern("retire", "enrolling", gone, "--by", "Bo", "--why", "no longer made")
    after = pulled(use_case)
    assert after.id == told["release"]
    assert set(after.labels) == set(before.labels) - {gone} | {"new-pill-0000-a", "new-pill-0001-a"}
    for name in (MODEL_FILE, VECTORS_FILE, GRAPH_FILE):
        assert after.manifest.files[name] == before.manifest.files[name]
    history = discern("release", "history")
    assert [record["why"] for record in history][-2:] == [
        "Ana asked (a new box): new photos are found, and the other classes keep their answers",
        "Bo asked (no longer made): the other classes keep their answers",
    ]
    use_case.run("data")
    assert set(use_case.output("data", "dataset_version").labels) == set(after.labels)


def test_what_cannot_be_enrolled_is_one_sentence_and_changes_nothing(
    use_case: Workplace, new_parts: Path, discern: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pulled(use_case)
    assert main(["retire", "enrolling", "no-such-part"]) == 1
    assert "'no-such-part' is not enrolled (check its spelling): nothing was changed." in capsys.readouterr().err
    broken = new_parts / "new-pill-0000-a" / "broken.jpg"
    broken.write_bytes(b"no photo")
    assert main(["enrol", "enrolling", "broken", str(broken)]) == 1
    assert "Nothing was enrolled." in capsys.readouterr().err
    assert pulled(use_case).id == before.id
