"""A bucket's objects: listed and read, over a network that breaks, with one sentence for each way it can fail.

Rules kept:
- endpoint, region and credentials come from the environment, as for every AWS tool; none is kept here;
- an object is read as it was listed or not at all: the server compares its ETag;
- a request that fails is repeated by botocore, and an answer that breaks off half-way by this module.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from discern.errors import DataError
from discern.sources.files.tree import changed_sentence

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client

ATTEMPTS = 4  # to get an answer, and to get one that is whole
PAGE = 1000  # objects in one answer of a listing; servers give no more
BACKOFF = 0.2  # seconds before the second; doubles each time
CONFIG = Config(
    connect_timeout=10,  # seconds
    read_timeout=30,  # seconds without a byte
    max_pool_connections=32,  # sources read that many files at once at most
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)
# What a connection does in the middle of an answer. OSError: resets and timeouts that botocore lets through.
_BROKEN = (HTTPClientError, IncompleteReadError, FlexibleChecksumError, OSError)
_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or whatever else gives this machine its rights"
)
# What S3 and its likes answer: the reason and the mend.
_ANSWERS = {
    "NoSuchBucket": ("there is no such bucket", "correct the address, or set AWS_ENDPOINT_URL"),
    "AccessDenied": ("access is denied", "ask for the right to list the bucket and to read its objects"),
    "InvalidAccessKeyId": ("the access key is not known there", _CREDENTIALS),
    "SignatureDoesNotMatch": ("the access key or the secret key is wrong", _CREDENTIALS),
    "InvalidBucketName": ("that is no name of a bucket", "correct the address"),
    "ExpiredToken": ("the credentials have expired", "log in again"),
    "RequestTimeTooSkewed": ("the clock of this machine is wrong", "set it"),
    "PermanentRedirect": ("the bucket lies in another region", "set AWS_DEFAULT_REGION to its region"),
    "InvalidObjectState": ("it is archived", "restore it from its storage class"),
}
_SAME = {"403": "AccessDenied", "Forbidden": "AccessDenied", "NotSignedUp": "AccessDenied"}
_DATE = re.compile(rb"<LastModified>[^<]*</LastModified>")
_GONE = {"NoSuchKey", "404", "NotFound"}
_CHANGED = {"PreconditionFailed", "412"}


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing describes it.

    Args:
        key: its name in the bucket.
        size: bytes.
        etag: changes with its content.
        location: what messages call it.
    """

    key: str
    size: int
    etag: str
    location: str


class Bucket:
    """One bucket; one client, which all threads share.

    Args:
        name: of the bucket.
        location: what messages call the folder or file in it that is read.

    Raises:
        DataError: the environment's settings make no sense.
    """

    def __init__(self, name: str, location: str) -> None:
        self.name, self.location = name, location
        try:
            # A session of its own: the shared one keeps the first credentials for ever.
            self._client: S3Client = boto3.session.Session().client("s3", config=CONFIG)
        except (BotoCoreError, ValueError) as error:
            raise DataError(f"{location} cannot be opened ({_plain(error)}): correct the AWS_ variables.") from None
        self._client.meta.events.register("before-parse.s3.ListObjectsV2", _without_dates)

    def objects(self, prefix: str) -> Iterator[tuple[str, int, str]]:
        """Yield key, size in bytes and ETag of each object whose key starts with `prefix`.

        Raises:
            DataError: the bucket is missing, out of reach, or not ours to list.
        """
        try:
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.name, Prefix=prefix, PaginationConfig={"PageSize": PAGE}):
                for entry in page.get("Contents", ()):
                    yield entry["Key"], entry["Size"], entry["ETag"]
        except (ClientError, BotoCoreError) as error:
            raise DataError(f"{self.location} cannot be listed {self._sentence(error)}") from error

    def find(self, key: str) -> Listed:
        """Ask for one object's size and ETag.

        Raises:
            DataError: it does not exist, or cannot be asked for.
        """
        try:
            head = self._client.head_object(Bucket=self.name, Key=key)
        except (ClientError, BotoCoreError) as error:
            if _code(error) in _GONE:
                raise DataError(f"{self.location} does not exist: correct the address, or upload it.") from None
            raise DataError(f"{self.location} cannot be read {self._sentence(error)}") from error
        return Listed(key, head["ContentLength"], head["ETag"], self.location)

    def read(self, listed: Listed, start: int, stop: int) -> bytes:
        """Return the bytes `start` to `stop` of an object, as long as it is the one that was listed.

        Raises:
            DataError: it changed or went away, or cannot be read.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return _content(self._get(listed, start, stop), stop - start)
            except _BROKEN as error:
                reason = _plain(error)
            if attempt < ATTEMPTS:
                time.sleep(BACKOFF * 2 ** (attempt - 1))
        raise DataError(
            f"{listed.location} cannot be read (it broke off {ATTEMPTS} times: {reason}): check the network and run "
            "again."
        )

    def _get(self, listed: Listed, start: int, stop: int) -> StreamingBody:
        # Asked for all of it as a range, the server would not send its checksum; an empty one has no range.
        byte_range: Any = {} if stop - start == listed.size else {"Range": f"bytes={start}-{stop - 1}"}
        try:
            return self._client.get_object(Bucket=self.name, Key=listed.key, IfMatch=listed.etag, **byte_range)["Body"]
        except (ClientError, BotoCoreError) as error:
            code = _code(error)
            if code in _CHANGED:
                raise DataError(changed_sentence(listed.location)) from None
            if code in _GONE:
                raise DataError(
                    f"{listed.location} was deleted after it was listed: put it back, or run again."
                ) from None
            raise DataError(f"{listed.location} cannot be read {self._sentence(error)}") from error

    def _sentence(self, error: Exception) -> str:
        """(the reason): the mend."""
        code = _code(error)
        if code in _ANSWERS:
            reason, mend = _ANSWERS[code]
        elif isinstance(error, (NoCredentialsError, PartialCredentialsError)):
            reason, mend = "there are no credentials", _CREDENTIALS
        elif isinstance(error, ParamValidationError):
            reason, mend = f"{self.name!r} is no name of a bucket", "correct the address"
        elif isinstance(error, (ConnectionError, HTTPClientError)):
            reason, mend = f"{self._client.meta.endpoint_url} is out of reach", "check the network and AWS_ENDPOINT_URL"
        else:
            reason, mend = _plain(error), "check the address and the credentials, and run again"
        return f"({reason}): {mend}."


def _without_dates(response_dict: dict[str, Any], **_: object) -> None:
    """Nobody asks for the dates of a listing, and to parse them takes most of its time."""
    response_dict["body"] = _DATE.sub(b"", response_dict["body"])


def _content(body: StreamingBody, length: int) -> bytes:
    pieces, missing = [], length
    with body:
        # One read more than there are bytes: the last, empty one is where checksums are compared.
        while missing >= 0 and (piece := body.read(missing or 1)):
            pieces.append(piece)
            missing -= len(piece)
    if missing > 0:
        raise IncompleteReadError(actual_bytes=length - missing, expected_bytes=length)
    return b"".join(pieces)[:length]


def _code(error: Exception) -> str:
    code = str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
    return _SAME.get(code, code)


def _plain(error: Exception) -> str:
    """Return the text of an error on one line."""
    return " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__
