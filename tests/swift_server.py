"""An S3 server that keeps to less than AWS does: OpenStack Swift with its S3 API, on loopback, in a folder.

It lies in an environment of its own, `.tools/swift`, which `make test-long` makes; DISCERN_SWIFT names another one.
"""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.prepared import REPOSITORY

KINDS = ("account", "container", "object")
PROXY = "catch_errors cache listing_formats s3api tempauth copy slo proxy-server"
# Without workers a server is one process, and nothing is left when it is killed.
SERVER = """[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
log_level = ERROR
disable_fallocate = true
fallocate_reserve = 0
"""
HASHES = """[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = gold
default = yes
"""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test:tester",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def environment() -> Path | None:
    """Return the environment that Swift is installed in, None where it is not."""
    folder = Path(os.environ.get("DISCERN_SWIFT") or REPOSITORY / ".tools/swift")
    return folder if (folder / "bin/swift-proxy-server").is_file() else None


@contextmanager
def swift_server(installed: Path, folder: Path) -> Iterator[str]:
    """Run a server in an empty folder; yields its URL."""
    ports = dict(zip((*KINDS, "proxy"), free_ports(len(KINDS) + 1), strict=True))
    (folder / "devices/d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(HASHES)
    for kind in KINDS:
        _write(
            folder,
            kind,
            ports[kind],
            f"[pipeline:main]\npipeline = {kind}-server\n[app:{kind}-server]\nuse = egg:swift#{kind}\n",
        )
        device = f"r1z1-127.0.0.1:{ports[kind]}/d1"
        for words in (["create", "2", "1", "0"], ["add", device, "1"], ["rebalance"]):
            command = [str(installed / "bin/swift-ring-builder"), f"{kind}.builder", *words]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    _write(folder, "proxy", ports["proxy"], _proxy_filters())
    with ExitStack() as servers:
        for kind in (*KINDS, "proxy"):
            log = servers.enter_context((folder / f"{kind}.log").open("wb"))
            command = [str(installed / f"bin/swift-{kind}-server"), str(folder / f"{kind}.conf")]
            child = servers.enter_context(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
            servers.callback(child.kill)
        for port in ports.values():
            wait_for(port)
        yield f"http://127.0.0.1:{ports['proxy']}"


def _write(folder: Path, kind: str, port: int, rest: str) -> None:
    settings = SERVER.format(folder=folder, port=port, user=getpass.getuser())
    (folder / f"{kind}.conf").write_text(settings + rest)


def _proxy_filters() -> str:
    filters = [name for name in PROXY.split() if name != "proxy-server"]
    sections = "".join(f"[filter:{name}]\nuse = egg:swift#{_egg(name)}\n{_settings(name)}" for name in filters)
    app = "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
    return f"[pipeline:main]\npipeline = {PROXY}\n{sections}{app}"


def _egg(name: str) -> str:
    return "memcache" if name == "cache" else name


def _settings(name: str) -> str:
    return {
        "cache": "memcache_servers = 127.0.0.1:1\nerror_suppression_limit = 0\n",
        "s3api": "location = us-east-1\n",
        "tempauth": "user_test_tester = testing .admin\n",
    }.get(name, "")


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]


def wait_for(port: int, seconds: float = 60) -> None:
    """Wait until somebody listens on a port."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"Swift does not listen on {port} after {seconds} seconds")
