"""Check of an artifact store in a bucket: an object is written, read, listed and deleted; each refusal has its mend."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as botocore_errors
from botocore.config import Config
from botocore.parsers import ResponseParserError

from discern.errors import first_line
from stacks.doctor.findings import Finding, fault, ok
from stacks.doctor.folder import CHECK, PROBE

SECONDS = 4  # for a connection, and for each answer
RIGHTS = {"write": "s3:PutObject", "read": "s3:GetObject", "list": "s3:ListBucket", "delete": "s3:DeleteObject"}
DENIED = frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled"})
ELSEWHERE = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
)
CODES = {
    "NoSuchBucket": "does not exist: correct DISCERN_BUCKET, or run `discern stack apply {stack} --create-bucket`.",
    "InvalidAccessKeyId": "does not know the access key: correct AWS_ACCESS_KEY_ID.",
    "SignatureDoesNotMatch": "refuses the secret key, which is not the access key's: correct AWS_SECRET_ACCESS_KEY.",
    "ExpiredToken": "refuses credentials that have expired: get new ones.",
    "ExpiredTokenException": "refuses credentials that have expired: get new ones.",
    "InvalidToken": "refuses the session token: get new credentials, or unset AWS_SESSION_TOKEN.",
}
# The first kind that an error is of tells it.
UNREACHED: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError),
        "is asked without credentials ({reason}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or take a role.",
    ),
    (
        (botocore_errors.ConnectTimeoutError,),
        f"takes no connection within {SECONDS} seconds: check AWS_ENDPOINT_URL, the network and the firewall.",
    ),
    ((botocore_errors.ReadTimeoutError,), f"does not answer within {SECONDS} seconds: look after the server."),
    (
        (botocore_errors.SSLError,),
        "has no certificate that is trusted ({reason}): check https in AWS_ENDPOINT_URL, or set AWS_CA_BUNDLE.",
    ),
    (
        (botocore_errors.EndpointConnectionError, botocore_errors.ConnectionError),
        "cannot be connected to: start the server, or correct AWS_ENDPOINT_URL.",
    ),
    (
        (ResponseParserError, botocore_errors.ConnectionClosedError),
        "does not answer as S3 does ({reason}): correct AWS_ENDPOINT_URL.",
    ),
)
OTHERWISE = "cannot be used ({reason}): check AWS_ENDPOINT_URL, DISCERN_BUCKET and the credentials."


def check_bucket(url: str, stack: str) -> list[Finding]:
    """Try the place in a bucket where an artifact store keeps its artifacts; nothing is left in it.

    Args:
        url: s3://BUCKET/PREFIX.
        stack: name of the stack, for the mend.
    """
    import boto3

    limits = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 1})
    try:
        client = boto3.client("s3", config=limits)
    except (botocore_errors.BotoCoreError, ValueError) as error:
        return [fault(CHECK, f"{url} {OTHERWISE.format(reason=first_line(error))}")]
    where = f"{url} at {client.meta.endpoint_url}"
    probe = _Probe(client, url)
    faults = [fault(CHECK, refusal(error, action, where, stack)) for action, error in probe.tried()]
    if refused := probe.removed():
        reason = refusal(refused, "delete", "the server", stack)
        faults.append(fault(CHECK, f"{url}/{probe.name} {probe.state}, and stays until somebody deletes it: {reason}"))
    return faults or [ok(CHECK, f"{where} can be written, read, listed and deleted from")]


def refusal(error: Exception, action: str, where: str, stack: str) -> str:
    """Return one sentence about an error of the S3 client, with its mend.

    Args:
        error: one of botocore's.
        action: what was tried: write, read, list or delete.
        where: the place, for the message.
        stack: name of the stack, for the mend.
    """
    if isinstance(error, botocore_errors.ClientError):
        return f"{where} {_refused(error, action).format(stack=stack)}"
    told = next((text for kinds, text in UNREACHED if isinstance(error, kinds)), OTHERWISE)
    return f"{where} {told.format(reason=first_line(error))}"


def _refused(error: Any, action: str) -> str:
    code = str(error.response["Error"].get("Code", ""))
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if code in CODES:
        return CODES[code]
    if code in DENIED:
        return f"gives no right to {action}: give these credentials {RIGHTS[action]}."
    if code == "RequestTimeTooSkewed":
        return f"refuses the time of this machine{_skew(headers.get('date'))}: set its clock."
    if code in ELSEWHERE:
        region = headers.get("x-amz-bucket-region") or error.response["Error"].get("Region") or "its region"
        return f"lies in another region: set AWS_DEFAULT_REGION to {region}."
    return _unforeseen(error, code, action)


def _unforeseen(error: Any, code: str, action: str) -> str:
    told = first_line(Exception(f"{code}: {error.response['Error'].get('Message', '')}"))
    reason = told.replace("{", "(").replace("}", ")")  # lest it be taken for a field
    if code.isdigit():  # S3 answers with a code in words
        return f"does not answer as S3 does ({reason}): correct AWS_ENDPOINT_URL."
    return f"refuses to {action} ({reason}): check the server, DISCERN_BUCKET and the rights."


def _skew(date: str | None) -> str:
    """Return by how much the clocks differ, as far as a server's answer tells it."""
    try:
        seconds = (datetime.now(UTC) - parsedate_to_datetime(date or "")).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f", which is {abs(seconds) / 60:.0f} minutes {'ahead' if seconds > 0 else 'behind'}"


class _Probe:
    """An object of a random name.

    Attributes:
        name: its name below the URL.
        state: in words, whether it was written; empty where it was not.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        self.name = f"{PROBE}{secrets.token_hex(8)}"
        self._prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        self._place = {"Bucket": bucket, "Key": f"{self._prefix}{self.name}"}
        self._data = secrets.token_bytes(64)
        self.state = ""

    def tried(self) -> list[tuple[str, Exception]]:
        """Write the object, read it and list what is there; return what failed, and stop where nothing can work."""
        failed: list[tuple[str, Exception]] = []
        for name, action in (("write", self._write), ("read", self._read), ("list", self._list)):
            if failed and not self._goes_on(failed[-1][1]):
                break
            if name == "read" and failed:
                continue
            if error := _error_of(action):
                failed.append((name, error))
        return failed

    def removed(self) -> Exception | None:
        """Delete the object if it may be there; return the error where it stays."""
        if not self.state:
            return None
        return _error_of(lambda: self._client.delete_object(**self._place))

    @staticmethod
    def _goes_on(error: Exception) -> bool:
        """Return True for a right that is missing: others may be missing too."""
        return isinstance(error, botocore_errors.ClientError) and error.response["Error"].get("Code") in DENIED

    def _write(self) -> None:
        try:
            self._client.put_object(**self._place, Body=self._data)
        except (botocore_errors.ReadTimeoutError, botocore_errors.ConnectionClosedError):
            self.state = "may have been written"
            raise
        self.state = "was written"

    def _read(self) -> None:
        if self._client.get_object(**self._place)["Body"].read() != self._data:
            raise ResponseParserError("an object reads otherwise than it was written")

    def _list(self) -> None:
        page = self._client.list_objects_v2(Bucket=self._place["Bucket"], Prefix=f"{self._prefix}{PROBE}")
        listed = {item["Key"] for item in page.get("Contents", [])}
        if self.state and self._place["Key"] not in listed:
            raise ResponseParserError("an object that was written is not listed")


def _error_of(action: Callable[[], object]) -> Exception | None:
    try:
        action()
    except (botocore_errors.BotoCoreError, botocore_errors.ClientError, ResponseParserError) as error:
        return error
    return None
