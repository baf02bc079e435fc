"""What goes wrong at Labelbox, or on the way there, and what is said of it."""

from __future__ import annotations

import logging
from typing import Any

import google.api_core.retry
import pytest
from lbox import exceptions
from lbox.request_client import RequestClient

from discern.errors import ConfigError, DataError, DiscernError
from discern.sources.base import Photo
from discern.sources.labelbox import LabelboxConfig, LabelboxSource
from tests.discern.sources.labelbox.server import KEY, FakeLabelbox


def source(**settings: Any) -> LabelboxSource:
    return LabelboxSource(LabelboxConfig(project="p1", **settings))


def read(**settings: Any) -> list[Photo]:
    return list(source(**settings).photos())


def wrong_key(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_API_KEY", f"{KEY}-old")


def no_key(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELBOX_API_KEY")


def broken_key(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_API_KEY", f"{KEY}\nX-Evil: 1")


def unsafe_address(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_URL", "http://labelbox.example.org")


def no_project(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.projects.clear()


def nobody_there(_: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBOX_URL", "http://127.0.0.1:9")


def limited(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.rate_limited = 1000


def down(server: FakeLabelbox, monkeypatch: pytest.MonkeyPatch) -> None:
    server.down = 1000
    short = google.api_core.retry.Retry(
        predicate=google.api_core.retry.if_exception_type(exceptions.InternalServerError), initial=0.01, timeout=0.05
    )  # the SDK's own asks for two minutes
    monkeypatch.setattr(RequestClient, "execute", short(RequestClient.execute.__wrapped__))


def failed(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.export_status = "FAILED"


def slow(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.export_looks = 1000


def incomplete(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.export_errors = 2


def cut(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.cut_exports = 10


def broken_off(server: FakeLabelbox, _: pytest.MonkeyPatch) -> None:
    server.break_at = {"exportDataRowsInProject": "after"}


FAULTS = [
    (wrong_key, ConfigError, "Labelbox refused the API key when exporting project p1: make a new one"),
    (
        no_key,
        ConfigError,
        "needs an API key: run `zenml secret create labelbox --api_key=...`, or set LABELBOX_API_KEY",
    ),
    (broken_key, ConfigError, "LABELBOX_API_KEY holds blanks or signs"),
    (unsafe_address, ConfigError, r"LABELBOX_URL is 'http://labelbox\.example\.org'.* only sent over https"),
    (no_project, ConfigError, "did not find what it takes for exporting project p1: check the id"),
    (nobody_there, DataError, r"cannot be reached when exporting project p1 \(NetworkError\): check the network"),
    (limited, DataError, "rate limit stopped exporting project p1, for 0 s on end: run again in a few minutes"),
    (down, DataError, r"cannot be reached when exporting project p1 \(RetryError\)"),
    (failed, DataError, r"could not make the export of project p1 \(FAILED\): run again"),
    (slow, DataError, "took longer than 1 s to export project p1: raise timeout"),
    (incomplete, DataError, "could not export 2 rows of project p1: run again, or look at them there"),
    (cut, DataError, "answer was cut off when exporting project p1: run again"),
    (broken_off, DataError, r"cannot be reached when exporting project p1 \(NetworkError\)"),
]


@pytest.mark.parametrize(("fault", "kind", "sentence"), FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_every_fault_is_one_sentence_without_the_key(
    reviewed: FakeLabelbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    fault: Any,
    kind: type[DiscernError],
    sentence: str,
) -> None:
    fault(reviewed, monkeypatch)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(kind, match=sentence) as caught:
        source(timeout=1)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    output = capfd.readouterr()
    assert KEY not in f"{caught.value!r}{caplog.text}{output.out}{output.err}"


def test_a_key_that_the_server_repeats_is_hidden(reviewed: FakeLabelbox) -> None:
    with pytest.raises(ConfigError, match=r"role at Labelbox is too low .*not a member.*\[the key\]") as caught:
        LabelboxSource(LabelboxConfig(project="forbidden"))
    assert KEY not in str(caught.value)


def test_the_key_is_in_no_representation(reviewed: FakeLabelbox) -> None:
    from discern.sources.labelbox.sdk import connect

    client = connect()
    assert KEY not in f"{client!r}{client}{source()!r}{source().config!r}{vars(source())}"


def test_a_rate_limit_that_passes_is_waited_for(reviewed: FakeLabelbox) -> None:
    reviewed.rate_limited = 2
    assert len(source()) == 3


def test_what_only_reads_is_asked_again_when_the_connection_breaks(
    reviewed: FakeLabelbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from discern.sources.labelbox import sdk

    monkeypatch.setattr(sdk, "BREAK_WAITS", (0.01,))
    reviewed.break_at = {"GetProject": "before", "GetUserCreatedTasks": "after", "GetExportMetadataHeader": "before"}
    assert len(source()) == 3


def test_an_expired_image_is_one_sentence(reviewed: FakeLabelbox) -> None:
    photos = read()
    reviewed.images_expired = True
    with pytest.raises(DataError, match=r"^the image URL of 0\.jpg expired: export again\.$"):
        photos[0].load()


def test_a_question_nobody_was_asked_is_one_sentence(reviewed: FakeLabelbox) -> None:
    with pytest.raises(
        ConfigError, match=r"question 'Colour' is answered on no row of Labelbox project p1: it has Shape"
    ):
        source(question="Colour")
