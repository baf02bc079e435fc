"""The whole examination, on stacks of the tests' own."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from stacks.doctor.examination import examine
from stacks.doctor.findings import Finding
from tests.stack import local_stack, zenml_database

__all__ = ["local_stack", "zenml_database"]

pytestmark = [pytest.mark.slow, pytest.mark.zenml]


def by_check(findings: list[Finding]) -> dict[str, str]:
    return {finding.check: finding.level for finding in findings}


def text_of(check: str, findings: list[Finding]) -> str:
    (text,) = [finding.text for finding in findings if finding.check == check]
    return text


def test_a_stack_that_was_applied_has_no_fault(local_stack: Path) -> None:
    findings = examine("local", local_stack)
    assert "fault" not in by_check(findings).values(), findings
    assert text_of("zenml stack", findings) == "as its file says, and active"


def test_a_variable_that_is_missing_is_told_with_the_rest(local_stack: Path) -> None:
    findings = examine("local-s3", local_stack)
    assert by_check(findings).keys() == {"python", "packages", "git", "disk", "variables"}
    assert "`export DISCERN_BUCKET=...`" in text_of("variables", findings)


@pytest.mark.usefixtures("s3_environment")
def test_a_bucket_stack_is_examined_whole(local_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stacks import apply, buckets
    from stacks.spec import read_spec

    environment = {"DISCERN_HOME": str(local_stack), "DISCERN_BUCKET": "doctor-whole"}
    monkeypatch.setenv("DISCERN_BUCKET", "doctor-whole")
    unknown = examine("local-s3", local_stack)
    # Another test of this process may have made it, for another bucket.
    assert text_of("zenml stack", unknown).startswith("local-s3 is not as its file says (")
    assert text_of("zenml stack", unknown).endswith("): run `discern stack apply local-s3`.")
    assert "not examined" in text_of("repository", unknown)

    spec = read_spec("local-s3", environment)
    buckets.prepare(spec, create_bucket=True)
    apply.apply(spec)
    findings = examine("local-s3", local_stack)
    assert "fault" not in by_check(findings).values(), findings
    assert "runs go to 'local'" in text_of("zenml stack", findings)
    assert "s3://doctor-whole/releases" in text_of("repository", findings)
    assert boto3.client("s3").list_objects_v2(Bucket="doctor-whole")["KeyCount"] == 0

    monkeypatch.setenv("DISCERN_BUCKET", "doctor-moved")
    changed = text_of("zenml stack", examine("local-s3", local_stack))
    assert "discern-s3 has another path; discern-s3 has another tracking_uri" in changed
