"""Roots of trust, without a repository."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root

from discern.errors import PublicationError
from discern.publication.keys import ROLES
from discern.publication.roots import (
    check_root,
    check_unexpired,
    expiry_warning,
    first_root,
    follow,
    next_root,
    set_keys,
)
from discern.publication.signing import sign_with

NOW = datetime.now(timezone.utc).replace(microsecond=0)
LATER = NOW + timedelta(days=365)
KEYS = {role: CryptoSigner.generate_ed25519() for role in ROLES}
OTHER = CryptoSigner.generate_ed25519()


def root() -> Root:
    return first_root({role: signer.public_key for role, signer in KEYS.items()}, LATER)


def test_a_root_signs_itself() -> None:
    data = sign_with([KEYS["root"]], root())
    assert check_root(data).version == 1
    for bad in (b"", b"{}", data[:-10], sign_with([OTHER], root())):
        with pytest.raises(PublicationError, match=r"root\.json is not a root that signs itself"):
            check_root(bad)


def test_the_next_root_is_signed_by_the_keys_of_both() -> None:
    following = next_root(root(), LATER)
    set_keys(following, "root", [OTHER.public_key], 1)
    assert follow(root(), sign_with([KEYS["root"], OTHER], following)).version == 2
    for signers in ([OTHER], [KEYS["root"]], []):
        with pytest.raises(
            PublicationError, match=r"2\.root\.json does not follow root 1 .*: run `discern release rep"
        ):
            follow(root(), sign_with(signers, following))


def test_a_root_cannot_be_left_out() -> None:
    third = next_root(next_root(root(), LATER), LATER)
    with pytest.raises(PublicationError, match="it is root 3"):
        follow(root(), sign_with([KEYS["root"]], third))


def test_a_threshold_counts_on_both_sides() -> None:
    two = next_root(root(), LATER)
    set_keys(two, "root", [KEYS["root"].public_key, OTHER.public_key], 2)
    with pytest.raises(PublicationError, match="signed by 1/2 keys"):
        follow(root(), sign_with([KEYS["root"]], two))
    second = follow(root(), sign_with([KEYS["root"], OTHER], two))
    third = next_root(second, LATER)
    set_keys(third, "root", [OTHER.public_key], 1)
    with pytest.raises(PublicationError, match="signed by 1/2 keys"):
        follow(second, sign_with([OTHER], third))
    with pytest.raises(ValueError, match="1 keys for a threshold of 2"):
        set_keys(copy.deepcopy(second), "root", [OTHER.public_key], 2)


def test_an_expired_root_is_told_with_the_command() -> None:
    old = next_root(root(), NOW - timedelta(days=1))
    with pytest.raises(PublicationError, match=r"root 2 expired on .*: run `discern release renew-root`"):
        check_unexpired(old)
    check_unexpired(root())


def test_the_end_of_a_root_is_told_90_days_before() -> None:
    assert expiry_warning(NOW + timedelta(days=91), NOW) is None
    assert "discern release renew-root" in str(expiry_warning(NOW + timedelta(days=89), NOW))
