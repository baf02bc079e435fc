from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import pytest

from edge_runtime.core.release import FILES, MANIFEST_FILE, MODEL_FILE, Release
from edge_runtime.device.home import Current, Home
from edge_runtime.service import cli
from edge_runtime.service.cli import _percent, main
from tests.edge_runtime.toy_release import COLOURS, UNKNOWN, flip, photo
from tests.edge_runtime.toy_repository import ToyRepository


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, str]:
    contents = {
        "red": photo(COLOURS["red"], 5),
        "blue": photo(COLOURS["blue"], 5),
        "unknown": photo(UNKNOWN),
        "text": b"hello",
        "x[bold]": photo(COLOURS["red"]),
    }
    for name, data in contents.items():
        (tmp_path / f"{name}.png").write_bytes(data)
    return {name: str(tmp_path / f"{name}.png") for name in contents}


class Ran(NamedTuple):
    status: int
    out: str
    err: str


EVERYWHERE = "0.0.0.0"  # noqa: S104  what the tests are about
Edge = Callable[..., Ran]


@pytest.fixture
def edge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Edge:
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Ran:
        status = main([str(argument) for argument in arguments])
        return Ran(status, *capsys.readouterr())

    return run


def one_sentence(ran: Ran) -> str:
    assert ran.status == 1
    assert ran.out == ""
    assert ran.err.startswith("discern-edge: ")
    assert ran.err.count("\n") == 1
    return ran.err


def test_pull_identify_and_status(
    edge: Edge, repository: ToyRepository, tmp_path: Path, photos: dict[str, str], toy_release: Release
) -> None:
    home = ("--home", tmp_path / "new")
    first = edge(*home, "pull", repository.url, "--root", repository.root)
    assert (first.status, first.err) == (0, "")
    assert f"release {toy_release.id} answers now" in first.out
    assert "is up to date" in edge("pull", *home).out  # the repository is remembered
    ran = edge(*home, "identify", photos["red"], photos["unknown"], photos["x[bold]"])
    assert ran.status == 0
    assert "red" in ran.out
    assert "unknown" in ran.out
    assert "x[bold].png" in ran.out
    assert ran.out.count(" %") == 3  # a probability for each photo
    shown = edge(*home, "status")
    assert shown.status == 0
    assert toy_release.id in shown.out
    assert "all whole" in shown.out


def test_json_is_one_object_a_line(edge: Edge, home: Path, photos: dict[str, str]) -> None:
    ran = edge("--home", home, "identify", "--json", photos["red"], photos["unknown"])
    assert ran.status == 0
    answers = [json.loads(line) for line in ran.out.splitlines()]
    assert [answer["label"] for answer in answers] == ["red", None]
    assert [answer["outcome"] for answer in answers] == ["match", "unknown"]
    assert [answer["photo"] for answer in answers] == [photos["red"], photos["unknown"]]


def test_outcomes_and_limits_can_be_read(edge: Edge, strict_release: Release, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    shutil.copytree(strict_release.folder, home.folder(strict_release.id))
    home.write_current(Current(strict_release.id, None))
    for name, colour in {"red": COLOURS["red"], "dark": (9, 9, 9)}.items():
        (tmp_path / f"{name}.png").write_bytes(photo(colour))
    ran = edge("--home", home.path, "identify", tmp_path / "red.png", tmp_path / "dark.png")
    assert ran.status == 0
    assert "│ look closely │" in ran.out
    assert "Look closely: red or " in ran.out
    assert "│ unknown " in ran.out
    assert "The photo is too dark (mean brightness " in ran.out
    assert "mean brightness >= 20 %" in edge("--home", home.path, "status").out


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(None, "-"), (0, "under 1 %"), (0.005, "under 1 %"), (0.0051, "1 %"), (0.994, "99 %"), (0.995, "over 99 %")],
)
def test_a_probability_is_never_shown_as_certainty(probability: float | None, shown: str) -> None:
    assert _percent(probability) == shown


def test_candidates(edge: Edge, home: Path, photos: dict[str, str]) -> None:
    ran = edge("--home", home, "identify", "--json", photos["blue"], "--candidates", "red,green")
    assert json.loads(ran.out)["reason"] == "outside_candidates"
    assert json.loads(ran.out)["probability"] is None
    ran = edge("--home", home, "identify", "--json", photos["blue"], "--candidates", "red", "--candidates", "blue")
    assert json.loads(ran.out)["label"] == "blue"
    assert "'para' is not a class" in one_sentence(
        edge("--home", home, "identify", photos["red"], "--candidates", "para")
    )


def test_one_bad_photo_does_not_hide_the_others(edge: Edge, home: Path, photos: dict[str, str]) -> None:
    ran = edge("--home", home, "identify", "--json", photos["text"], photos["red"], "/nowhere.jpg", str(home))
    assert ran.status == 1
    assert json.loads(ran.out)["label"] == "red"
    lines = ran.err.splitlines()
    assert len(lines) == 3
    assert "text.png is not a picture" in lines[0]
    assert "/nowhere.jpg cannot be read (No such file or directory)" in lines[1]
    assert "cannot be read (Is a directory)" in lines[2]


def test_a_missing_release_says_to_pull(edge: Edge, tmp_path: Path, photos: dict[str, str]) -> None:
    for command in (["identify", photos["red"]], ["status"]):
        assert "run `discern-edge pull" in one_sentence(edge("--home", tmp_path / "empty", *command))
    assert "was never pulled to" in one_sentence(edge("--home", tmp_path / "empty", "pull"))


@pytest.mark.parametrize("name", [MANIFEST_FILE, *FILES])
def test_an_altered_release_is_named_and_pull_mends_it(
    edge: Edge,
    home: Path,
    repository: ToyRepository,
    photos: dict[str, str],
    toy_release: Release,
    name: str,
) -> None:
    flip(Home(home).folder(toy_release.id) / name)
    for command in (["identify", photos["red"]], ["status"]):
        sentence = one_sentence(edge("--home", home, *command))
        assert f"{name} was altered" in sentence
        assert "pull the release again" in sentence
    if name == MODEL_FILE:
        assert edge("--home", home, "pull", repository.url).status == 0
        assert edge("--home", home, "identify", photos["red"]).status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["identify"],
        ["fly"],
        ["serve", "--port", "http"],
        ["serve", "--port", "99999"],
        ["identify", "a.jpg", "--jsonn"],
    ],
)
def test_a_wrong_call_is_status_2(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: discern-edge" in capsys.readouterr().err


def test_serve_refuses_what_is_not_safe_or_not_possible(
    edge: Edge, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISCERN_EDGE_TOKEN", raising=False)
    serve = ("--home", home, "serve")
    assert "set a token" in one_sentence(edge(*serve, "--host", EVERYWHERE))
    (tmp_path / "token").write_text("short\n")
    assert "the token has 5 characters" in one_sentence(edge(*serve, "--token-file", tmp_path / "token"))
    assert "nothing cannot be read" in one_sentence(edge(*serve, "--token-file", tmp_path / "nothing"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} cannot be listened on" in one_sentence(edge(*serve, "--port", str(port)))


def test_serve_answers_in_a_process_of_its_own(home: Path, photos: dict[str, str]) -> None:
    token = "correct horse battery"
    command = [sys.executable, "-m", "edge_runtime", "--home", str(home), "serve", "--host", EVERYWHERE, "--port", "0"]
    environment = {**os.environ, "DISCERN_EDGE_TOKEN": token}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().rpartition(":")[2])
            request = Request(
                f"http://127.0.0.1:{port}/v1/identify",
                Path(photos["red"]).read_bytes(),
                {"Authorization": f"Bearer {token}"},
            )
            assert json.loads(urlopen(request, timeout=20).read())["label"] == "red"
        finally:
            server.terminate()
            _, err = server.communicate(timeout=20)
    assert token not in err
    assert server.returncode in {0, -15, 143}


def test_a_reader_that_leaves_is_no_error(home: Path, photos: dict[str, str]) -> None:
    command = [sys.executable, "-m", "edge_runtime", "--home", str(home), "identify", "--json", photos["red"]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_a_user_without_a_home_is_told(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "DEFAULT_HOME", Path("~nobody-of-this-name/x"))
    monkeypatch.delenv("DISCERN_EDGE_HOME", raising=False)
    assert "this user has no home folder" in one_sentence(edge("status"))


def test_where_the_repository_is_stays_with_the_user(edge: Edge, home: Path, published: ToyRepository) -> None:
    assert edge("--home", home, "pull", published.url).status == 0
    assert (home / "source.json").stat().st_mode & 0o777 == 0o600
    said = one_sentence(edge("--home", home, "pull", "https://ann:geheim@host/releases"))
    assert "geheim" not in said
    assert "geheim" not in (home / "source.json").read_text()


def test_the_program_starts_quickly_enough(home: Path, photos: dict[str, str]) -> None:
    """No torch, no ZenML: one photo, from nothing, in seconds."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "edge_runtime", "--home", str(home), "identify", photos["red"]], check=True, timeout=60
    )
    assert time.perf_counter() - start < 20
