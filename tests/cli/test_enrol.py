from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cli.enrol import enrolment_parameters
from cli.main import main
from discern.errors import ConfigError


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of configs for `parts`, where the command runs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "configs" / "parts"
    folder.mkdir(parents=True)
    return folder


def write(path: Path, **parameters: object) -> None:
    path.write_text(yaml.safe_dump({"parameters": parameters}))


def test_channels_and_keys_are_the_promotions_and_its_gates_are_not(
    configs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS", "/secret/keys")
    channels = {"production": "parts-production", "staging": "parts-staging"}
    write(configs / "promotion.yaml", keys="${KEYS}", channels=channels, approval="manual", gates={"worse_by": 0.02})
    assert enrolment_parameters("parts") == {
        "use_case": "parts",
        "keys": "/secret/keys",
        "channels": channels,
        "approval": "manual",
    }


def test_a_config_of_its_own_says_more(configs: Path) -> None:
    write(configs / "promotion.yaml", use_case="screws", approval="manual")
    write(configs / "enrolment.yaml", approval="automatic", gates={"least_photos": 3})
    assert enrolment_parameters("parts") == {
        "use_case": "screws",
        "approval": "automatic",
        "gates": {"least_photos": 3},
    }


def test_a_use_case_without_a_promotion_is_named(configs: Path) -> None:
    with pytest.raises(ConfigError, match=r"configs/parts/promotion\.yaml does not exist"):
        enrolment_parameters("parts")
    assert configs.is_dir()


@pytest.mark.parametrize(
    "arguments",
    [("parts",), ("parts", "washer-m6"), ("parts", "washer-m6", "1.jpg", "--from", "new")],
    ids=["nothing", "no photo", "both"],
)
def test_what_is_enrolled_must_be_named_in_one_way(
    configs: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert configs.is_dir()
    assert main(["enrol", *arguments]) == 2
    assert (
        "Name a class and photos of it, `washer-m6 photos/*.jpg`, or a folder with --from." in capsys.readouterr().err
    )


def test_every_photo_that_is_not_there_is_named(
    configs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(configs / "promotion.yaml")
    (tmp_path / "there.jpg").write_bytes(b"x")
    assert main(["enrol", "parts", "washer-m6", "there.jpg", "gone.jpg", "lost.jpg"]) == 1
    said = capsys.readouterr().err
    assert "gone.jpg cannot be read (No such file or directory): name an existing photo." in said
    assert "lost.jpg" in said
    assert "there.jpg" not in said


@pytest.mark.parametrize(
    ("made", "says"), [(None, "new cannot be read"), ("new/readme.txt", "holds no folder with photos")]
)
def test_a_folder_without_classes_is_refused(
    configs: Path, tmp_path: Path, made: str | None, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(configs / "promotion.yaml")
    if made:
        (tmp_path / made).parent.mkdir()
        (tmp_path / made).write_text("no photo")
    assert main(["enrol", "parts", "--from", "new"]) == 1
    assert says in capsys.readouterr().err
