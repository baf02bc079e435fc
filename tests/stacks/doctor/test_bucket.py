"""An artifact store in a bucket: what works leaves nothing, and each way to fail is told with its mend."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from stacks.doctor.bucket import SECONDS, check_bucket, refusal
from stacks.doctor.findings import Finding
from tests.stacks.doctor.s3_server import S3Server

URL = "s3://parts/zenml"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def server(credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with S3Server().running() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


def faults(findings: list[Finding]) -> list[str]:
    assert {finding.check for finding in findings} == {"artifact store"}
    assert {finding.level for finding in findings} == {"fault"}, findings
    return [finding.text for finding in findings]


def keys(bucket: str) -> list[str]:
    return [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_bucket_that_works_is_left_as_it_was(s3_environment: str) -> None:
    boto3.client("s3").create_bucket(Bucket="doctor")
    boto3.client("s3").put_object(Bucket="doctor", Key="zenml/artifact", Body=b"x")
    for url in ("s3://doctor/zenml", "s3://doctor"):
        (finding,) = check_bucket(url, "local-s3")
        assert (finding.level, finding.text) == (
            "ok",
            f"{url} at {s3_environment} can be written, read, listed and deleted from",
        )
    assert keys("doctor") == ["zenml/artifact"]


def test_a_missing_bucket_is_named_with_the_command_that_makes_it(s3_environment: str) -> None:
    (text,) = faults(check_bucket("s3://nobody-made-this/zenml", "local-s3"))
    assert text == (
        f"s3://nobody-made-this/zenml at {s3_environment} does not exist: correct DISCERN_BUCKET, or run `discern "
        "stack apply local-s3 --create-bucket`."
    )


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "InvalidAccessKeyId", "does not know the access key: correct AWS_ACCESS_KEY_ID."),
        (403, "SignatureDoesNotMatch", "refuses the secret key, which is not the access key's"),
        (400, "ExpiredToken", "refuses credentials that have expired: get new ones."),
        (400, "InvalidToken", "unset AWS_SESSION_TOKEN"),
        (400, "AuthorizationHeaderMalformed", "lies in another region: set AWS_DEFAULT_REGION to eu-north-1."),
        (503, "SlowDown", "refuses to write (SlowDown: told to): check"),
        (400, "Odd{code}", "refuses to write (Odd(code): told to): check"),
    ],
)
def test_what_the_server_refuses_is_one_sentence(server: S3Server, status: int, code: str, says: str) -> None:
    server.refusals["PUT"] = (status, code)
    server.headers["x-amz-bucket-region"] = "eu-north-1"
    (text,) = faults(check_bucket(URL, "local-s3"))
    assert text.startswith(f"{URL} at {server.url} ")
    assert says in text
    assert server.asked[-1] == "PUT", "nothing else can work, and nothing else is tried"


@pytest.mark.parametrize(("ahead", "says"), [(-3600, "60 minutes ahead"), (7200, "120 minutes behind")])
def test_clocks_that_differ_are_told_by_how_much(server: S3Server, ahead: float, says: str) -> None:
    server.refusals["PUT"] = (403, "RequestTimeTooSkewed")
    server.clock = ahead
    (text,) = faults(check_bucket(URL, "local-s3"))
    assert f"refuses the time of this machine, which is {says}: set its clock." in text


def test_all_rights_that_are_missing_are_told_at_once(server: S3Server) -> None:
    server.refusals |= {"PUT": (403, "AccessDenied"), "LIST": (403, "AccessDenied")}
    texts = faults(check_bucket(URL, "local-s3"))
    assert [text.rpartition("credentials ")[2] for text in texts] == ["s3:PutObject.", "s3:ListBucket."]
    assert server.asked == ["PUT", "LIST"]


def test_an_object_that_cannot_be_read_is_deleted_all_the_same(server: S3Server) -> None:
    server.refusals["GET"] = (403, "AccessDenied")
    (text,) = faults(check_bucket(URL, "local-s3"))
    assert "gives no right to read: give these credentials s3:GetObject." in text
    assert server.objects == {}


def test_an_object_that_cannot_be_deleted_is_named(server: S3Server) -> None:
    server.refusals["DELETE"] = (403, "AccessDenied")
    (text,) = faults(check_bucket(URL, "local-s3"))
    (path,) = server.objects
    assert text.startswith(f"s3:/{path} was written, and stays until somebody deletes it: ")
    assert text.endswith("give these credentials s3:DeleteObject.")


def test_another_server_at_the_address_is_told(server: S3Server) -> None:
    server.page = b"<html><body>It works!</body>"
    (text,) = faults(check_bucket(URL, "local-s3"))
    assert "does not answer as S3 does (400: Bad Request): correct AWS_ENDPOINT_URL." in text


def test_a_closed_port_is_told(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        (text,) = faults(check_bucket(URL, "local-s3"))
    assert "cannot be connected to: start the server, or correct AWS_ENDPOINT_URL." in text


def test_a_server_that_never_answers_does_not_hold_up(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stacks.doctor.bucket.SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        texts = faults(check_bucket(URL, "local-s3"))
    assert time.monotonic() - began < SECONDS
    assert "does not answer within" in texts[0]
    assert "may have been written, and stays until somebody deletes it" in texts[1]


def test_a_port_that_swallows_everything_does_not_hold_up(credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stacks.doctor.bucket.SECONDS", 0.2)
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # the queue of those who wait is full, and nobody else is heard
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{full.getsockname()[1]}")
        (text,) = faults(check_bucket(URL, "local-s3"))
    assert "takes no connection within" in text


@pytest.mark.parametrize("endpoint", ["127.0.0.1:9000", "http://no such host:1"])
def test_an_address_that_is_none_is_told(credentials: None, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    (text,) = faults(check_bucket(URL, "local-s3"))
    assert "Invalid endpoint" in text
    assert "check AWS_ENDPOINT_URL" in text


def test_missing_credentials_are_told() -> None:
    text = refusal(NoCredentialsError(), "write", URL, "local-s3")
    assert text == (
        f"{URL} is asked without credentials (Unable to locate credentials): set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or take a role."
    )
