"""Fetching images from servers that are busy, refuse, lead elsewhere, or never end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from discern.errors import DataError
from discern.sources.files.tree import READ_LIMIT
from discern.sources.labelbox import images
from discern.sources.labelbox.images import Download, check_address, fetch
from tests.discern.pictures import jpeg
from tests.discern.sources.labelbox.server import FakeLabelbox


@pytest.fixture
def image(labelbox: FakeLabelbox) -> str:
    """The address of an image, signed."""
    return labelbox.url + labelbox.keep("/images/1.jpg", jpeg(1)) + "?X-Signature=secret"


def test_an_image_is_fetched(image: str) -> None:
    assert fetch(image, "1.jpg") == jpeg(1)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("file:///etc/passwd", "file"),
        ("ftp://example.org/1.jpg", "ftp"),
        ("gs://bucket/1.jpg", "gs"),
        ("s3://bucket/1.jpg", "s3"),
        ("http://example.org/1.jpg", "http"),
        ("http://169.254.169.254/latest/meta-data", "http"),
        ("http://127.0.0.1.example.org/1.jpg", "http"),
        ("data:image/png;base64,AAAA", "data"),
        ("https:///1.jpg", "https"),
        ("https://[1/1.jpg", "https"),
        ("/photos/1.jpg", "none"),
        ("", "none"),
    ],
)
def test_what_is_not_https_is_not_fetched(url: str, kind: str) -> None:
    for refuse in (check_address, fetch):
        with pytest.raises(
            DataError, match=rf"^the image of 1\.jpg has no https address \({kind}\): put the image beside"
        ):
            refuse(url, "1.jpg")


def test_a_busy_server_is_asked_again_when_it_says(
    labelbox: FakeLabelbox, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(images.time, "sleep", waits.append)
    labelbox.images_busy, labelbox.retry_after = 2, "7"
    assert fetch(image, "1.jpg") == jpeg(1)
    labelbox.images_busy, labelbox.retry_after = 1, format_datetime(datetime.now(UTC) + timedelta(seconds=30))
    assert fetch(image, "1.jpg") == jpeg(1)
    labelbox.images_busy, labelbox.retry_after = 1, "999999"
    assert fetch(image, "1.jpg") == jpeg(1)
    labelbox.images_busy, labelbox.retry_after = 2, "soon"
    assert fetch(image, "1.jpg") == jpeg(1)
    assert waits[:2] == [7, 7]
    assert 25 < waits[2] <= 30
    assert waits[3:] == [images.LONGEST_WAIT, images.FIRST_WAIT, 2 * images.FIRST_WAIT]


def test_a_server_that_stays_busy_is_one_sentence(labelbox: FakeLabelbox, image: str) -> None:
    labelbox.images_busy = 100
    with pytest.raises(
        DataError, match=r"^the image of 1\.jpg cannot be fetched from 127\.0\.0\.1 \(status 503\): check"
    ):
        fetch(image, "1.jpg")
    assert labelbox.images_busy == 100 - images.TRIES


def test_an_expired_address_is_one_sentence_and_not_asked_again(labelbox: FakeLabelbox, image: str) -> None:
    labelbox.images_expired = True
    with pytest.raises(DataError, match=r"^the image URL of 1\.jpg expired: export again\.$"):
        fetch(image, "1.jpg")
    assert len(labelbox.fetched) == 1


def test_an_image_that_is_gone_is_one_sentence(labelbox: FakeLabelbox, image: str) -> None:
    labelbox.files.clear()
    with pytest.raises(DataError, match=r"the image of 1\.jpg is no longer at 127\.0\.0\.1: restore it"):
        fetch(image, "1.jpg")


def test_redirects_are_followed_a_few_times_and_only_to_https(labelbox: FakeLabelbox, image: str) -> None:
    labelbox.redirects = {"/images/0.jpg": "/images/1.jpg", "/images/round": "/images/round"}
    assert fetch(f"{labelbox.url}/images/0.jpg", "0.jpg") == jpeg(1)
    with pytest.raises(DataError, match="leads from one to the next without end"):
        fetch(f"{labelbox.url}/images/round", "0.jpg")
    for target in ("file:///etc/passwd", "http://example.org/1.jpg", "ftp://example.org/1.jpg"):
        labelbox.redirects["/images/0.jpg"] = target
        with pytest.raises(DataError, match="leads to one that is not https"):
            fetch(f"{labelbox.url}/images/0.jpg", "0.jpg")


def test_no_redirect_leads_from_elsewhere_to_this_machine() -> None:
    assert not images._is_allowed("http://127.0.0.1:8080/admin", "https://images.example.org/1.jpg")
    assert not images._is_allowed("https://localhost/admin", "https://images.example.org/1.jpg")
    assert images._is_allowed("https://cdn.example.org/1.jpg", "https://images.example.org/1.jpg")


def test_a_large_image_is_read_up_to_the_limit(labelbox: FakeLabelbox, image: str) -> None:
    labelbox.keep("/images/1.jpg", bytes(READ_LIMIT + 1000))
    assert len(fetch(image, "1.jpg")) == READ_LIMIT


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that sends what it is told to, again and again, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(request.param)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.mark.parametrize("port", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nonly this"], indirect=True)
def test_a_connection_that_breaks_is_one_sentence(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "FIRST_WAIT", 0.001)
    with pytest.raises(
        DataError, match=r"cannot be fetched from 127\.0\.0\.1 \((ConnectionError|ChunkedEncodingError)\)"
    ) as caught:
        fetch(f"http://127.0.0.1:{port}/1.jpg?X-Signature=secret", "1.jpg")
    assert "secret" not in str(caught.value)


def test_an_image_that_takes_too_long_is_given_up(
    labelbox: FakeLabelbox, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "DEADLINE", -1.0)
    with pytest.raises(DataError, match=r"took longer than -1 s from 127\.0\.0\.1: run again"):
        fetch(image, "1.jpg")


def test_things_of_one_image_share_its_download_in_any_thread(labelbox: FakeLabelbox, image: str) -> None:
    download = Download(image, "1.jpg", uses=8)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: download.load(), range(8))) == {jpeg(1)}
    assert len(labelbox.fetched) == 1
    assert download.load() == jpeg(1), "once more than was said: fetched again, for it is not kept"
    assert len(labelbox.fetched) == 2
