"""What a stack needs beside its ZenML components: its bucket."""

from __future__ import annotations

import os
from typing import Any

from discern.errors import ConfigError
from stacks.doctor.bucket import check_bucket
from stacks.spec import StackSpec


def prepare(spec: StackSpec, *, create_bucket: bool = False) -> None:
    """Try (or make) the bucket of `spec`, if it has one: an object is written, read, listed and deleted.

    Raises:
        ConfigError: the bucket does not exist, or cannot be used.
    """
    for store in spec.components.get("artifact_store", []):
        url = store.configuration.get("path", "")
        if not url.startswith("s3://"):
            continue
        if create_bucket:
            _make_bucket(url.removeprefix("s3://").split("/", 1)[0])
        if faults := [finding.text for finding in check_bucket(url, spec.stack_name) if finding.level == "fault"]:
            raise ConfigError(" ".join(faults))


def _make_bucket(bucket: str) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client("s3")
    try:
        if bucket not in {item["Name"] for item in client.list_buckets()["Buckets"]}:
            _create_bucket(client, bucket)
    except (BotoCoreError, ClientError) as error:
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "AWS")
        raise ConfigError(
            f"The bucket {bucket!r} at {endpoint} cannot be made ({error}): check DISCERN_BUCKET, AWS_ENDPOINT_URL and "
            "the credentials."
        ) from None


def _create_bucket(client: Any, bucket: str) -> None:
    """In AWS's first region a location must not be named, elsewhere it must."""
    region = client.meta.region_name
    if region in (None, "us-east-1"):
        client.create_bucket(Bucket=bucket)
    else:
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
