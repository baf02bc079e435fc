"""A label conflict is held back, shown, decided by one command, and the next run takes the decision."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from discern.quality.review.conflicts import decide_command
from tests.cli.calls import Caller
from tests.discern.pictures import fill, jpeg

pytestmark = pytest.mark.slow

CONFIG = """
parameters:
  use_case: parts
  sources:
    - {{name: base, source: {{kind: folder, path: {base}}}}}
    - {{name: more, source: {{kind: folder, path: {more}}}, labelled_by: ann, label_method: annotation}}
  splits: {{by: photos}}
  checks:
    waive:
{waived}
  decisions: configs/parts/decisions.csv
"""
# Noise of 24 pixels a side is no set of photos that anybody would train on.
TOO_SMALL = (
    "image_size",
    "unknowns",
    "blurred_images",
    "queries",
    "property_outliers",
    "property_drift",
    "label_drift",
)
WAIVED = [f"      {check}: noise" for check in TOO_SMALL]
BY_INIT = "      label_conflicts: found by discern init and not looked at yet"
TABLE = Path("configs/parts/decisions.csv")


@pytest.fixture
def parts(zenml_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A use case with two pictures under two labels each, from two sources."""
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "base", classes=8, each=4)
    for label, number in (("c05", 0), ("c06", 1)):
        path = tmp_path / "more" / label / f"-{number} it's.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(jpeg(number))
        (path.parent / "own.jpg").write_bytes(jpeg(90_000 + number))
    config = tmp_path / "configs" / "parts" / "data.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG.format(base=tmp_path / "base", more=tmp_path / "more", waived="\n".join(WAIVED)))
    return config


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(capsys)


def test_a_conflict_is_shown_decided_and_taken(parts: Path, call: Caller) -> None:
    assert "holds no dataset version of a use case 'parts'" in call.refused("data", "decide", "parts")
    assert "label_conflicts" in call.refused("data", "run", "parts")
    check_shown(call)

    text = parts.read_text()
    parts.write_text(text.replace(WAIVED[-1], f"{WAIVED[-1]}\n{BY_INIT}"))
    call.refused("data", "decide", "parts", "base/c00/9.jpg", "c00")
    assert not TABLE.exists()
    shown = decide_command("parts", "more/c05/-0 it's.jpg", "c05")  # as the review page has it
    assert call(*shlex.split(shown)[1:], "--by", "bo").status == 0
    assert BY_INIT in parts.read_text()
    other = call("data", "decide", "parts", "base/c00/1.jpg", "c00", "--json").result
    assert [line["photo"] for line in other["added"]] == ["base/c00/1.jpg"]
    assert parts.read_text() == text, "no conflict is open, and the waiver would hide the next one"
    assert call("data", "decide", "parts", "base/c00/1.jpg", "--undo").status == 0
    assert call("data", "decide", "parts", "more/c06/-1 it's.jpg", "c06").status == 0
    assert "has 0 open label conflicts." in call("data", "decide", "parts").out

    ran = call("data", "run", "parts", "--json")
    assert ran.status == 0, ran.err
    assert ran.result["photos"] == 34
    assert call("data", "decide", "parts", "--json").result["conflicts"] == []
    TABLE.unlink()
    assert "restore the file" in call.refused("data", "run", "parts")


def check_shown(call: Caller) -> None:
    shown = call("data", "decide", "parts", "--json").result
    assert [[photo["photo"] for photo in conflict["photos"]] for conflict in shown["conflicts"]] == [
        ["base/c00/0.jpg", "more/c05/-0 it's.jpg"],
        ["base/c00/1.jpg", "more/c06/-1 it's.jpg"],
    ]
    assert shown["conflicts"][0]["commands"] == [
        "discern data decide parts base/c00/0.jpg c00",
        """discern data decide parts 'more/c05/-0 it'"'"'s.jpg' c05""",
    ]
    assert Path(shown["report"]).is_file()
    text = call("data", "decide", "parts").out
    assert "has 2 open label conflicts." in text
    assert "1  more/c05/-0 it's.jpg: 'c05' (annotation, ann)" in text


def test_what_cannot_be_decided_is_one_sentence(parts: Path, call: Caller) -> None:
    assert call("data", "decide", "parts", "base/c00/0.jpg").status == 2
    assert call("data", "decide", "parts", "base/c00/0.jpg", "c00", "--undo").status == 2
    assert call("data", "decide", "parts", "--undo").status == 2
    for dashes in (
        shlex.split(decide_command("nobody", "-1.jpg", "-5"))[1:],
        ("data", "decide", "nobody", "-1.jpg", "-5"),
    ):
        assert "configs/nobody/data.yaml does not exist" in call.refused(*dashes)
    assert "did you mean 'parts'?" in call.refused("data", "decide", "prts")
