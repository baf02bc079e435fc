"""From a folder of photos to an answer on a device, with no edit but the number of steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from cli.main import main
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.source import PillSource
from discern.use_cases import recipe
from tests.e2e.conftest import Workplace

pytestmark = pytest.mark.long  # four commands, and nothing that another test shows


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pills of 10 to 20 photos of several sizes; some broken, two of them under two labels."""
    folder = tmp_path / "photos"
    source = PillSource(PillsConfig(families=12, siblings=1, photos_per_class=20, size=64, seed=3))
    draws = np.random.default_rng(0)
    taken: dict[str, int] = {}
    for photo in source.photos():
        label = str(photo.label)
        taken[label] = taken.get(label, 0) + 1
        if taken[label] > 10 + 7 * len(label) % 11:
            continue
        (folder / label).mkdir(parents=True, exist_ok=True)
        path = folder / label / f"{taken[label]}.png"
        path.write_bytes(photo.load())
        if draws.random() < 0.3:
            with Image.open(path) as picture:
                picture.resize((96, 80)).save(path)
    first, second, third = sorted(folder.iterdir())[:3]
    (second / "copy.png").write_bytes((first / "1.png").read_bytes())
    (third / "phone.heic").write_bytes(b"ftypheic")
    (third / "cut.png").write_bytes((first / "2.png").read_bytes()[:500])
    return folder


def test_init_data_train_promote_and_a_device(
    zenml_home: Path,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "STEPS", (10, 10))

    def told(*arguments: str) -> dict[str, object]:
        capsys.readouterr()
        status = main([*arguments, "--json"])
        written = capsys.readouterr()
        assert status == 0, written.err
        result: dict[str, object] = json.loads(written.out.splitlines()[-1])
        return result

    found = told("init", "own-pills", "--photos", str(photos))
    assert found["can_be_released"]
    version = told("data", "run", "own-pills")
    assert version["classes"] == 12
    assert Path(str(version["report"])).is_file()
    trained = told("train", "own-pills")
    assert Path(str(trained["report"])).is_file()
    _without_floors(tmp_path / "configs" / "own-pills" / "promotion.yaml")
    promoted = told("promote", "own-pills")
    assert promoted["channel"] == "own-pills-production"
    assert promoted["release"] == trained["release"]
    assert Path(str(promoted["report"])).is_file()
    _identified(zenml_home, tmp_path, next(photos.glob("*/3.png")), str(promoted["release"]), capsys)


def _without_floors(config: Path) -> None:
    content = yaml.safe_load(config.read_text())
    content["parameters"]["gates"] = dict.fromkeys(content["parameters"]["gates"], 0.0)
    config.write_text(yaml.safe_dump(content))


def _identified(home: Path, folder: Path, photo: Path, release: str, capsys: pytest.CaptureFixture[str]) -> None:
    from edge_runtime.service.cli import main as device

    options = ["--home", str(folder / "device")]
    root = str(home / "keys" / "root.json")
    assert device([*options, "pull", str(home / "releases"), "--root", root, "--channel", "own-pills-production"]) == 0
    capsys.readouterr()
    assert device([*options, "identify", "--json", str(photo)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["matches"]


def test_promotion_refuses_a_channel_of_another_use_case(loop: Workplace) -> None:
    from discern.errors import PublicationError

    with pytest.raises(PublicationError, match=r"names release .* of the use case 'tiny': give 'other' channels"):
        _promoted_as_other(loop)


def _promoted_as_other(loop: Workplace) -> None:
    from discern.publication.repository import ReleaseRepository
    from orchestration.publishing import check_channel

    repository = ReleaseRepository(str(loop.home / "releases"), loop.home / "keys")
    check_channel(repository, "production", "tiny")
    check_channel(repository, "nobody-follows-this", "other")
    check_channel(repository, "production", "other")
