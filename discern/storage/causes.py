"""Why a folder or a bucket refused: the cause in a few words, and the mend."""

from __future__ import annotations

import errno
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from discern.errors import first_line

CHECK = "check the address and the rights"
# Of S3 servers, by code or by status.
_BY_CODE = {
    "AccessDenied": ("these credentials may not do this there", "get the rights, or use other credentials"),
    "403": ("these credentials may not do this there", "get the rights, or use other credentials"),
    "InvalidAccessKeyId": ("it does not know this access key", "check AWS_ACCESS_KEY_ID"),
    "SignatureDoesNotMatch": ("the signature is wrong", "check AWS_SECRET_ACCESS_KEY and the region"),
    "ExpiredToken": ("these credentials have expired", "get new ones"),
    "ExpiredTokenException": ("these credentials have expired", "get new ones"),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "set the clock"),
    "AuthorizationHeaderMalformed": ("the bucket is in another region", "check AWS_DEFAULT_REGION"),
    "IllegalLocationConstraintException": ("the bucket is in another region", "check AWS_DEFAULT_REGION"),
    "PermanentRedirect": ("the bucket is in another region", "check AWS_DEFAULT_REGION and AWS_ENDPOINT_URL"),
    "301": ("the bucket is in another region", "check AWS_DEFAULT_REGION and AWS_ENDPOINT_URL"),
    "NoSuchBucket": ("there is no such bucket", "check its name, or make it"),
    "QuotaExceeded": ("it is full", "make room"),
    "InsufficientStorage": ("it is full", "make room"),
    "507": ("it is full", "make room"),
    "XMinioStorageFull": ("it is full", "make room"),
    "EntityTooLarge": ("the file is too large for it", "allow larger files there"),
    "SlowDown": ("it is too busy", "run it again later"),
    "ServiceUnavailable": ("it is too busy, or under repair", "run it again later"),
    "503": ("it is too busy, or under repair", "run it again later"),
    # A HEAD is answered without a code.
    "400": ("it refuses the request, as servers do where the region is another one", "check AWS_DEFAULT_REGION"),
}
_BY_NUMBER = {
    errno.ENOSPC: ("no space is left", "make room"),
    errno.EDQUOT: ("the quota is used up", "make room"),
    errno.EROFS: ("it can only be read", "make it writable"),
    errno.EACCES: ("it may not be read or written", "check the rights"),
    errno.EPERM: ("it may not be written", "check the rights"),
    errno.EBUSY: ("others write to it without a pause", "run it again later"),
}
_UNREACHABLE = ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "ReadTimeoutError")
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "CredentialRetrievalError")


def error_code(error: BaseException) -> str | None:
    """Return the code by which an S3 server refused, its status where it gave none, and None for other errors."""
    response = _response(error)
    if response is None:
        return None
    code = response.get("Error", {}).get("Code")
    return str(code or response.get("ResponseMetadata", {}).get("HTTPStatusCode"))


def is_storage_error(error: BaseException) -> bool:
    """Return True where a bucket or a disk is what failed, whatever was done with the error since."""
    return any(isinstance(part, (BotoCoreError, ClientError)) for part in _chain(error)) or (
        isinstance(error, OSError) and error.errno in _BY_NUMBER
    )


def cause(error: BaseException) -> tuple[str, str]:
    """Return why a folder or a bucket refused, and what to do."""
    names = {type(part).__name__ for part in _chain(error)}
    if names.intersection(_NO_CREDENTIALS):
        return "there are no credentials for it", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or take a role"
    if names.intersection(_UNREACHABLE):
        return "nobody answers there", "check the network, and AWS_ENDPOINT_URL where it is set"
    known = _BY_CODE.get(error_code(error) or "") or _BY_NUMBER.get(getattr(error, "errno", None) or 0)
    return known or (getattr(error, "strerror", None) or _first_line(error), CHECK)


def _first_line(error: BaseException) -> str:
    return first_line(error) if isinstance(error, Exception) else type(error).__name__


def _response(error: BaseException) -> dict[str, Any] | None:
    for part in _chain(error):
        response = getattr(part, "response", None)
        if isinstance(response, dict):
            return response
    return None


def _chain(error: BaseException) -> list[BaseException]:
    parts: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in parts:
        parts.append(following)
        following = following.__cause__ or following.__context__
    return parts
