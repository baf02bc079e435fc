"""Why a place refuses, in words."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from discern.storage.causes import cause, error_code


def refused(code: str, status: int = 403) -> OSError:
    """As s3fs tells what S3 answered."""
    error = OSError(errno.EIO, "the server's words")
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error.__cause__ = ClientError(answer, "PutObject")
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused("AccessDenied"), "these credentials may not do this there"),
        (refused("SignatureDoesNotMatch"), "the signature is wrong"),
        (refused("AuthorizationHeaderMalformed"), "the bucket is in another region"),
        (refused("", 301), "the bucket is in another region"),
        (refused("NoSuchBucket"), "there is no such bucket"),
        (refused("QuotaExceeded"), "it is full"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space is left"),
        (OSError(errno.EROFS, "Read-only file system"), "it can only be read"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "nobody answers there"),
        (NoCredentialsError(), "there are no credentials for it"),
        (OSError("odd.\nsecond line"), "odd"),
    ],
)
def test_a_cause_is_told_in_words(error: Exception, words: str) -> None:
    assert cause(error)[0] == words
    assert cause(error)[1]


def test_a_code_is_what_the_server_gave_or_its_status() -> None:
    assert error_code(refused("SlowDown")) == "SlowDown"
    assert error_code(refused("", 412)) == "412"
    assert error_code(OSError("no server")) is None
