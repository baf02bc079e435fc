"""Where the figures of a run go, and what is told of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import dataset_growth, results, s3_fetch
from benchmarks.results import MeasuredCode
from benchmarks.run import BenchmarkParser, Run, positive_int


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The mark of the code, to be changed."""
    mark = ["before"]
    monkeypatch.setattr(MeasuredCode, "mark", lambda _: mark[0])
    monkeypatch.setattr(results, "commit", lambda: "abc")
    return mark


def toy(work: Path, *arguments: str) -> Run:
    parser = BenchmarkParser("toy", "x")
    parser.add_place("--photos", "a folder")
    parser.add_trial("--steps", type=positive_int, default=600)
    parser.add_trial("--sizes", type=positive_int, nargs="+", default=[1, 2])
    parser.add_trial("--development", action="store_true")
    parser.add_trial("--other", metavar="PATH")
    return parser.start(["--photos", "/data", "--work", str(work / "work"), *arguments])


def saved(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_plain_run_is_published_with_what_it_ran_on(tmp_path: Path, code: list[str]) -> None:
    path = toy(tmp_path, "--steps", "600").save({"a": 1}, precision="bf16")
    assert path == tmp_path / "results" / "toy.json"
    content = saved(path)
    assert content["command"] == "python -m benchmarks.toy --photos PATH"
    assert (content["commit"], content["code_mark"], content["precision"]) == ("abc", "before", "bf16")
    assert content["figures"] == {"a": 1}
    assert content["threads"]
    assert "doubts" not in content


@pytest.mark.parametrize(
    ("arguments", "name", "command"),
    [
        (["--steps", "2"], "toy-steps-2", "--steps 2"),
        (["--sizes", "5", "7"], "toy-sizes-5-7", "--sizes 5 7"),
        (["--development"], "toy-development", "--development"),
        (["--development", "--steps", "2"], "toy-steps-2-development", "--steps 2 --development"),
        (["--other", "/home/me/photos"], "toy-other-PATH", "--other PATH"),
    ],
)
def test_what_changes_the_measurement_stays_in_the_work_folder(
    tmp_path: Path, code: list[str], arguments: list[str], name: str, command: str
) -> None:
    path = toy(tmp_path, *arguments).save({"a": 1})
    assert path == tmp_path / "work" / f"{name}.json"
    assert saved(path)["command"] == f"python -m benchmarks.toy --photos PATH {command}"
    assert not (tmp_path / "results").exists()


def test_several_seeds_are_in_the_command(tmp_path: Path, code: list[str]) -> None:
    path = toy(tmp_path).save({"a": 1}, seeds=3)
    assert saved(path)["command"] == "python -m benchmarks.toy --photos PATH --seeds 3"


def test_code_that_changed_meanwhile_is_not_published(tmp_path: Path, code: list[str]) -> None:
    published = toy(tmp_path).save({"a": 1})
    before = published.read_bytes()
    run = toy(tmp_path)
    code[0] = "after"
    with pytest.raises(SystemExit, match=r"code or the configs of benchmarks\.toy changed while it ran.*run the bench"):
        run.save({"a": 2})
    assert published.read_bytes() == before
    content = saved(tmp_path / "work" / "toy-doubtful.json")
    assert content["figures"] == {"a": 2}
    assert content["code_mark"] == "before"
    assert content["doubts"] == ["The code or the configs of benchmarks.toy changed while it ran."]


def test_figures_outlast_code_that_cannot_be_read(
    tmp_path: Path, code: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = toy(tmp_path)

    def mark(_: MeasuredCode) -> str:
        raise SyntaxError

    monkeypatch.setattr(MeasuredCode, "mark", mark)
    with pytest.raises(SystemExit, match="changed while it ran"):
        run.save({"a": 2})
    assert saved(tmp_path / "work" / "toy-doubtful.json")["figures"] == {"a": 2}


def test_a_trial_of_code_that_changed_is_marked(tmp_path: Path, code: list[str]) -> None:
    run = toy(tmp_path, "--steps", "2")
    code[0] = "after"
    assert saved(run.save({"a": 2}))["doubts"]


def test_figures_without_a_commit_are_not_published(
    tmp_path: Path, code: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "commit", lambda: None)
    with pytest.raises(SystemExit, match="is no git checkout"):
        toy(tmp_path).save({"a": 2})
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("parser", "arguments"),
    [
        (s3_fetch.command_line(), ["--shards", "4"]),
        (s3_fetch.command_line(), ["--megabytes", "2"]),
        (dataset_growth.command_line(), ["--sizes", "1000", "3000"]),
    ],
)
def test_options_of_the_benchmarks_of_data_change_what_is_measured(
    parser: BenchmarkParser, arguments: list[str], code: list[str]
) -> None:
    assert parser.start([]).trial == ""
    assert parser.start(arguments).trial


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "required: --photos"), (["--photos", "x", "--steps", "0"], "argument --steps: 0 is less than 1")],
)
def test_options_that_make_no_sense_are_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = BenchmarkParser("toy", "x")
    parser.add_place("--photos", "a folder")
    parser.add_trial("--steps", type=positive_int)
    with pytest.raises(SystemExit):
        parser.start(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_small_version_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["dataset_growth", "--sizes", "60", "--work", str(tmp_path)])
    dataset_growth.main()
    figures = saved(tmp_path / "dataset_growth-sizes-60.json")["figures"]
    assert figures["photos"] == 60
    assert figures["peak_rss_mb_60"] > 0
    assert 0 < figures["bytes_ratio"] < 5
