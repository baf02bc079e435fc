"""Check of an MLflow tracker: its database can be written, or its server says that it is well."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from discern.errors import first_line
from stacks.doctor.findings import Finding, fault, ok, warning

CHECK = "experiment tracker"
SQLITE = "sqlite:///"
SECONDS = 5.0  # for a lock, and for a server's answer


def check_tracker(uri: str, mend: str) -> list[Finding]:
    """Ask an MLflow tracker whether it works; nothing is written to it.

    Args:
        uri: its address.
        mend: the command that makes the folder of its database.
    """
    if uri.startswith(SQLITE):
        return [_database(Path(uri.removeprefix(SQLITE)), mend)]
    if uri.startswith(("http://", "https://")):
        return [_server(uri)]
    return [warning(CHECK, f"{uri or 'a tracker without an address'} is of a kind that is not examined here.")]


def _database(path: Path, mend: str) -> Finding:
    if not path.exists():
        return _not_made(path, mend)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=SECONDS)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
    except sqlite3.Error as error:
        return fault(
            CHECK,
            f"{path} cannot be written ({first_line(error)}): end what locks it, check its rights, or move it away, "
            "and the next training makes one.",
        )
    if "experiments" not in tables:
        return fault(CHECK, f"{path} is no database of MLflow's: move it away, and the next training makes one.")
    return ok(CHECK, f"{path} can be written")


def _not_made(path: Path, mend: str) -> Finding:
    """Tell whether the first training can make the database."""
    if not path.parent.is_dir():
        return fault(CHECK, f"{path.parent}, the folder of {path.name}, does not exist: run `{mend}`.")
    if not os.access(path.parent, os.W_OK):
        return fault(CHECK, f"{path.parent} cannot be written: check its owner and its rights.")
    return ok(CHECK, f"{path} is made by the first training")


def _server(uri: str) -> Finding:
    import requests

    address = f"{uri.rstrip('/')}/health"
    try:
        answer = requests.get(address, timeout=SECONDS)
    except requests.Timeout:
        return fault(CHECK, f"{address} does not answer within {SECONDS:g} seconds: look after the server.")
    except requests.RequestException as error:
        reason = type(error).__name__
        return fault(CHECK, f"{address} cannot be asked ({reason}): start the server, or correct tracking_uri.")
    if answer.status_code in (401, 403):
        return fault(CHECK, f"{address} refuses the credentials: set MLFLOW_TRACKING_TOKEN, or user name and password.")
    if answer.status_code != 200:
        return fault(CHECK, f"{address} answers {answer.status_code}: look after the server, or correct tracking_uri.")
    return ok(CHECK, f"{uri} answers")
