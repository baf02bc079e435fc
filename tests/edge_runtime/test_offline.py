"""The device answers with the network cut; only `pull` may ever use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge_runtime.toy_release import COLOURS, photo

# Audit events come from the interpreter, whatever library opens the connection.
NO_CONNECTIONS = """
import sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}:
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(refuse)
from edge_runtime.service.cli import main
sys.exit(main(sys.argv[1:]))
"""

# A namespace without any device but loopback, which is brought up by hand.
SERVE = """
import fcntl, json, socket, struct, subprocess, sys
from urllib.request import urlopen
UP, SET_FLAGS = 1, 0x8914
with socket.socket() as handle:
    fcntl.ioctl(handle, SET_FLAGS, struct.pack("16sh", b"lo", UP))
    try:
        handle.connect(("192.0.2.1", 80))
        sys.exit("the network is not cut")
    except OSError:
        pass
command = [sys.executable, "-m", "edge_runtime", "--home", sys.argv[1], "serve", "--port", "0"]
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
    port = int(server.stdout.readline().rpartition(":")[2])
    address = f"http://127.0.0.1:{port}"
    ready = json.load(urlopen(address + "/readyz", timeout=20))
    answer = json.load(urlopen(address + "/v1/identify", open(sys.argv[2], "rb").read(), timeout=20))
    server.terminate()
print(json.dumps([ready, answer]))
"""


@pytest.fixture
def red(tmp_path: Path) -> str:
    (tmp_path / "red.png").write_bytes(photo(COLOURS["red"], 3))
    return str(tmp_path / "red.png")


def test_identify_opens_no_connection(home: Path, red: str) -> None:
    command = [sys.executable, "-c", NO_CONNECTIONS, "--home", str(home), "identify", "--json", red]
    child = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(child.stdout)["label"] == "red"


def test_the_hook_would_notice_a_connection(home: Path) -> None:
    command = [sys.executable, "-c", NO_CONNECTIONS, "--home", str(home), "pull", "http://127.0.0.1:9/releases"]
    child = subprocess.run(command, capture_output=True, check=False)
    assert child.returncode == 1
    assert b"socket." in child.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="cutting the network off needs root")
def test_serve_starts_and_answers_without_a_network(home: Path, red: str) -> None:
    command = ["unshare", "--net", sys.executable, "-c", SERVE, str(home), red]
    child = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert child.returncode == 0, child.stderr
    ready, answer = json.loads(child.stdout)
    assert ready["status"] == "ready"
    assert answer["label"] == "red"
