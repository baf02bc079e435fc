"""An MLflow tracker: its database, or its server."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from stacks.doctor import tracker
from stacks.doctor.tracker import check_tracker

MEND = "discern stack apply local"


def made(path: Path, table: str = "experiments") -> str:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE {table} (name TEXT)")
        database.commit()
    return f"sqlite:///{path}"


def level_and_text(uri: str) -> tuple[str, str]:
    (finding,) = check_tracker(uri, MEND)
    return finding.level, finding.text


def test_a_database_that_can_be_written(tmp_path: Path) -> None:
    uri = made(tmp_path / "mlflow.db")
    before = (tmp_path / "mlflow.db").read_bytes()
    assert level_and_text(uri)[0] == "ok"
    assert (tmp_path / "mlflow.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_database_that_the_first_training_makes_is_not_made_here(tmp_path: Path) -> None:
    level, text = level_and_text(f"sqlite:///{tmp_path}/mlflow.db")
    assert (level, text) == ("ok", f"{tmp_path}/mlflow.db is made by the first training")
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_a_folder_to_make_it_in_is_a_fault(tmp_path: Path) -> None:
    level, text = level_and_text(f"sqlite:///{tmp_path}/mlflow/mlflow.db")
    assert level == "fault"
    assert text == f"{tmp_path}/mlflow, the folder of mlflow.db, does not exist: run `{MEND}`."
    assert list(tmp_path.iterdir()) == []


def test_a_locked_a_foreign_and_a_damaged_database_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "SECONDS", 0.05)
    uri = made(tmp_path / "mlflow.db")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "cannot be written (database is locked): end what locks it" in level_and_text(uri)[1]
        other.rollback()
    assert "is no database of MLflow's" in level_and_text(made(tmp_path / "other.db", "things"))[1]
    (tmp_path / "text.db").write_text("no database at all, for sure" * 40)
    assert "file is not a database" in level_and_text(f"sqlite:///{tmp_path}/text.db")[1]


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, int]]]:
    """A server whose health is what a test says."""
    status = {"/health": 200}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

        def do_GET(self) -> None:
            self.send_response(status.get(self.path, 404))
            self.end_headers()

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}", status
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_server_tells_its_health(server: tuple[str, dict[str, int]]) -> None:
    address, status = server
    assert level_and_text(f"{address}/") == ("ok", f"{address}/ answers")
    for answer, says in ((503, "answers 503: look after the server"), (401, "refuses the credentials")):
        status["/health"] = answer
        level, text = level_and_text(address)
        assert level == "fault"
        assert says in text


def test_a_server_that_is_not_there_or_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "SECONDS", 0.1)
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{port.getsockname()[1]}"
        assert "cannot be asked (ConnectionError): start the server" in level_and_text(address)[1]
        port.listen()
        assert "does not answer within 0.1 seconds" in level_and_text(address)[1]


def test_another_kind_is_not_examined() -> None:
    assert level_and_text("databricks")[0] == "warning"
    assert level_and_text("")[0] == "warning"
