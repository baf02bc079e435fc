from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.device.repository_address import parse_address, resolved
from edge_runtime.errors import SettingsError


def test_a_folder_or_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_address("releases").url == (tmp_path / "releases").as_uri()
    assert parse_address("my #1?").url == (tmp_path / "my #1?").as_uri()
    assert parse_address("s3://bucket/releases/").url == "s3://bucket/releases"
    with pytest.raises(SettingsError, match="'gs://bucket' is neither a folder nor a"):
        parse_address("gs://bucket")


def test_a_query_is_sent_and_never_shown() -> None:
    address = parse_address("https://host/releases/?sig=abc%2F1&x=2")
    assert address.of_file(f"{address.url}/metadata/1.root.json") == (
        "https://host/releases/metadata/1.root.json?sig=abc%2F1&x=2"
    )
    assert "abc" not in repr(address)
    assert address.without_query("no https://host/r/a.json?sig=abc/1&x=2 here") == "no https://host/r/a.json here"


@pytest.mark.parametrize("scheme", ["https", "http", "s3"])
def test_a_password_is_refused_and_not_shown(scheme: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_address(f"{scheme}://ann:geheim@host/releases")
    assert "holds a name or a password, which is neither sent nor kept: leave it out" in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert "ann" not in str(caught.value)


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no home folder for ~nobody-of-this-name/x: name the device's own folder"):
        resolved("~nobody-of-this-name/x")
