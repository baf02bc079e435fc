from __future__ import annotations

import pytest

from edge_runtime.errors import SettingsError
from edge_runtime.service.settings import Secret, ServiceSettings, check_binding, is_loopback

TOKEN = "correct horse battery"


def test_a_secret_hides_itself() -> None:
    secret = Secret(TOKEN)
    assert TOKEN not in f"{secret} {secret!r} {ServiceSettings(token=secret)!r}"
    assert secret.matches(TOKEN)
    for wrong in ("", TOKEN[:-1], TOKEN + "y", "é" * 20):
        assert not secret.matches(wrong)


def test_a_short_token_is_refused() -> None:
    with pytest.raises(SettingsError, match="the token has 4 characters: use at least 16"):
        Secret("1234")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    check_binding(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "device.example", ""])  # noqa: S104
def test_other_machines_need_one(host: str) -> None:
    with pytest.raises(SettingsError, match="set a token in DISCERN_EDGE_TOKEN"):
        check_binding(host, None)
    check_binding(host, Secret(TOKEN))
