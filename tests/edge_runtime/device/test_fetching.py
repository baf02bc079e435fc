from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import boto3
import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError

from edge_runtime.core.release import Release
from edge_runtime.device.fetching import RepositoryFetcher
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull
from edge_runtime.errors import UpdateError
from tests.edge_runtime.homes import assert_untouched
from tests.edge_runtime.toy_repository import ToyRepository

CUT = "cut-off.bin"


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder; `cut-off.bin` promises more than it sends."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        if not self.path.endswith(CUT):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 10)


@pytest.fixture
def web(repository: ToyRepository) -> Iterator[str]:
    """The repository on a web server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=repository.url))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_pull_over_http(web: str, repository: ToyRepository, tmp_path: Path, toy_release: Release) -> None:
    assert pull(web + "/", tmp_path / "home", trusted_root=repository.root).release == toy_release.id
    assert Home(tmp_path / "home").open_current().id == toy_release.id


def test_what_is_missing_is_a_404_everywhere(web: str, tmp_path: Path, bucket: str) -> None:
    fetcher = RepositoryFetcher(tmp_path)
    for url in (f"{web}/nothing", (tmp_path / "nothing").as_uri(), f"{bucket}/nothing"):
        with pytest.raises(DownloadHTTPError) as caught:
            fetcher.download_bytes(url, 100)
        assert caught.value.status_code == 404


def test_a_connection_that_breaks_is_a_download_error(web: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="broke off"):
        RepositoryFetcher(tmp_path).download_bytes(f"{web}/{CUT}", 1000)


class Odd(Quiet):
    """A web server as they are found: `manner` says how."""

    manner = ""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path, _, query = self.path.partition("?")
        missing = not Path(self.translate_path(path)).is_file()
        if self.manner == "portal" or (self.manner == "page for all" and missing):
            self._page()
        elif self.manner == "signed" and query != "sig=a%2Fb":
            self.send_error(403)
        else:
            super().do_GET()

    def _page(self) -> None:
        body = b"\n<!DOCTYPE html><html>Please accept the terms</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def odd(folder: str, manner: str) -> Iterator[str]:
    """Serve a folder in an odd manner."""
    handler = type("Manner", (Odd,), {"manner": manner, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_in_place_of_what_is_missing_does_no_harm(
    repository: ToyRepository, tmp_path: Path, toy_release: Release
) -> None:
    with odd(repository.url, "page for all") as url:
        assert pull(url, tmp_path / "home", trusted_root=repository.root).release == toy_release.id


def test_a_network_that_wants_a_log_in_is_named(repository: ToyRepository, home: Path, toy_release: Release) -> None:
    with odd(repository.url, "portal") as url, pytest.raises(UpdateError) as caught:
        pull(url, home)
    said = str(caught.value)
    assert "timestamp.json came as a web page: log in to the network that this device is in" in said
    assert "publish" not in said
    assert_untouched(home, toy_release)


def test_an_address_may_be_signed_by_its_query(repository: ToyRepository, tmp_path: Path, toy_release: Release) -> None:
    with odd(repository.url, "signed") as url:
        home = tmp_path / "home"
        assert pull(f"{url}/?sig=a%2Fb", home, trusted_root=repository.root).release == toy_release.id
        for wrong in (f"{url}/elsewhere?sig=a%2Fb", f"{url}?sig=other", "http://127.0.0.1:9?sig=a%2Fb"):
            with pytest.raises(UpdateError) as caught:
                pull(wrong, home)
            assert "sig" not in str(caught.value)


def test_lengths_are_bounded_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "a file with spaces"
    path.write_bytes(b"x" * 1000)
    received: list[int] = []
    fetcher = RepositoryFetcher(tmp_path, received.append)
    assert fetcher.download_bytes(path.as_uri(), 1000) == b"x" * 1000
    assert sum(received) == 1000
    with pytest.raises(DownloadLengthMismatchError):
        fetcher.download_bytes(path.as_uri(), 999)


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty prefix of a bucket, reached as on AWS but for the endpoint."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="edge-tests")
    return f"s3://edge-tests/{tmp_path.name}"


def upload(repository: ToyRepository, bucket: str) -> None:
    """Copy the repository into a bucket, file by file."""
    name, _, prefix = bucket.removeprefix("s3://").partition("/")
    client = boto3.session.Session().client("s3")
    for path in Path(repository.url).rglob("*"):
        if path.is_file():
            client.upload_file(str(path), name, f"{prefix}/{path.relative_to(repository.url)}")


def test_pull_from_a_bucket(
    bucket: str, repository: ToyRepository, tmp_path: Path, toy_release: Release, newer_release: Release
) -> None:
    home = tmp_path / "home"
    upload(repository, bucket)
    assert pull(bucket, home, trusted_root=repository.root).release == toy_release.id
    repository.publish(newer_release, "production")
    upload(repository, bucket)
    assert pull(bucket, home).release == newer_release.id


def test_a_bucket_that_is_not_there_is_named(bucket: str, home: Path) -> None:
    with pytest.raises(UpdateError, match="s3://no-such-bucket/releases"):
        pull("s3://no-such-bucket/releases", home)


def test_missing_credentials_are_one_sentence(s3_endpoint: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    with pytest.raises(UpdateError, match="credentials") as caught:
        pull("s3://bucket/releases", home)
    assert "\n" not in str(caught.value)
