from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml

from cli.enrol import enrolment_parameters, tell_publication
from cli.main import main
from discern.errors import ConfigError
from discern.sources.enrolled.ledger import EnrolmentRequest
from orchestration.publishing import Publication


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of configs for `parts`, where the command runs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "configs" / "parts"
    folder.mkdir(parents=True)
    return folder


def write(path: Path, **parameters: object) -> None:
    path.write_text(yaml.safe_dump({"parameters": parameters}))


def test_channels_keys_and_limits_are_the_promotions(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", "/secret/keys")
    channels = {"production": "parts-production", "staging": "parts-staging"}
    write(configs / "promotion.yaml", keys="${KEYS}", channels=channels, approval="manual", gates={"worse_by": 0.02})
    assert enrolment_parameters("parts") == {
        "use_case": "parts",
        "keys": "/secret/keys",
        "channels": channels,
        "approval": "manual",
        "limits": {"worse_by": 0.02},
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


@pytest.mark.parametrize(
    "command",
    [
        ("enrol", "parts", "", "1.jpg"),
        ("retire", "parts", ""),
        ("retire", "parts", "m4", " "),
        ("retire", "parts", "m" * 501),
    ],
)
@pytest.mark.parametrize("by", ["Ada", "", "A" * 201])
def test_a_person_and_a_class_have_a_name(
    configs: Path, tmp_path: Path, command: tuple[str, ...], by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(configs / "promotion.yaml")
    (tmp_path / "1.jpg").write_bytes(b"x")
    assert main([*command, "--by", by]) == 1
    told = capsys.readouterr().err.splitlines()
    assert any("a class has no name, or one of more than 500 signs" in line for line in told)
    assert any("say who with --by" in line for line in told) is (by != "Ada")
    assert len(told) == 1 + (by != "Ada")


def test_a_user_without_a_name_is_asked_for_one(
    configs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(configs / "promotion.yaml")
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)  # as a container has it, whose user is in no list
    assert main(["retire", "parts", "m4"]) == 1
    assert capsys.readouterr().err.startswith("nobody is said to ask: say who with --by")


@pytest.mark.parametrize(
    ("channel", "state", "following"),
    [
        ("parts-staging", "waits", "discern release approve abc --channel parts-production --by NAME --why REASON"),
        (
            "parts-production",
            "is live",
            "discern-edge pull /releases --root /home/keys/root.json --channel parts-production",
        ),
    ],
)
def test_it_is_told_whether_a_release_waits_or_is_live(
    channel: str, state: str, following: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISCERN_HOME", "/home")
    now = datetime.now(timezone.utc)
    request = EnrolmentRequest(use_case="parts", requested=now, by="Ada", retire=("washer-m4",))
    publication = Publication(release="abc", channel=channel, repository="/releases", reason="Ada asked")
    tell_publication(request, publication, "parts-production", "enrolment/1.html")
    told = capsys.readouterr().out
    assert told.startswith(f"Release abc {state} on channel {channel}, with washer-m4 changed.")
    assert told.rstrip().endswith(following)
