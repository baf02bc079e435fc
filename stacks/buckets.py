"""What a stack needs beside its ZenML components: its bucket."""

from __future__ import annotations

import os
from typing import Any

from discern.errors import ConfigError
from stacks.spec import StackSpec


def prepare(spec: StackSpec, *, create_bucket: bool = False) -> None:
    """Check (or make) the bucket of `spec`, if it has one.

    Raises:
        ConfigError: the bucket cannot be reached or does not exist.
    """
    for store in spec.components.get("artifact_store", []):
        if store.configuration.get("path", "").startswith("s3://"):
            bucket = store.configuration["path"].removeprefix("s3://").split("/", 1)[0]
            _check_bucket(bucket, create_bucket)


def _check_bucket(bucket: str, create: bool) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client("s3")
    try:
        if create and bucket not in {item["Name"] for item in client.list_buckets()["Buckets"]}:
            _create_bucket(client, bucket)
        client.head_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "AWS")
        raise ConfigError(
            f"The bucket {bucket!r} at {endpoint} cannot be used ({error}): check DISCERN_BUCKET, AWS_ENDPOINT_URL and "
            "the credentials, or add --create-bucket."
        ) from None


def _create_bucket(client: Any, bucket: str) -> None:
    """In AWS's first region a location must not be named, elsewhere it must."""
    region = client.meta.region_name
    if region in (None, "us-east-1"):
        client.create_bucket(Bucket=bucket)
    else:
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
