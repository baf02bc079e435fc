from __future__ import annotations

import json

import pytest

from edge_runtime.device.repository_paths import channel_named, channel_path, make_pointer, manifest_path, parse_pointer
from edge_runtime.errors import UpdateError

RELEASE = "0123456789abcdef"
GOOD = {"release": RELEASE, "manifest": manifest_path(RELEASE)}


def test_a_pointer_comes_back() -> None:
    assert json.loads(make_pointer(RELEASE)) == GOOD
    assert parse_pointer(make_pointer(RELEASE), "here") == RELEASE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"release": "../..", "manifest": "x"}',
        json.dumps({**GOOD, "manifest": "y"}).encode(),
        json.dumps({**GOOD, "release": RELEASE.upper()}).encode(),
    ],
)
def test_what_is_no_pointer_is_refused(content: bytes) -> None:
    with pytest.raises(UpdateError, match="here is not a channel's pointer: publish the channel again"):
        parse_pointer(content, "here")


@pytest.mark.parametrize("channel", ["a/b", "../x", "", "Production", "x" * 65])
def test_a_channel_has_a_plain_name(channel: str) -> None:
    with pytest.raises(UpdateError, match="is not a name of small letters"):
        channel_path(channel)
    assert channel_path("line-2.b_c") == "channels/line-2.b_c.json"


def test_the_channel_of_a_pointer() -> None:
    assert channel_named("channels/parts-production.json") == "parts-production"
    for path in ("channels/.json", "channels/A.json", "channels/a", "releases/0123456789abcdef/release.json", "a.json"):
        assert channel_named(path) is None
