"""The layouts are read where they lie in a bucket, as from a folder."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from pydantic import TypeAdapter

from discern.sources.base import Photo, Source
from discern.sources.registry import SourceConfig, open_source
from tests.discern.sources import (
    test_coco,
    test_cvat,
    test_label_studio,
    test_omniglot,
    test_table,
    test_voc,
    test_yolo,
)
from tests.discern.sources.layouts import Files, plant


def opened(kind: str, path: str) -> Source:
    settings = {"validation_alphabets": 1} if kind == "omniglot" else {}
    config = TypeAdapter[SourceConfig](SourceConfig).validate_python({"kind": kind, "path": path, **settings})
    return open_source(config)


FILES: dict[str, Files] = {
    "voc": test_voc.FILES,
    "coco": test_coco.FILES,
    "yolo": test_yolo.FILES,
    "cvat": test_cvat.FILES,
    "label_studio": test_label_studio.FILES,
    "table": test_table.FILES,
    "omniglot": test_omniglot.FILES,
}


def facts(photo: Photo) -> tuple[Any, ...]:
    return photo.name, photo.label, photo.box, photo.split, photo.role, photo.group, photo.captured_at, photo.load()


@pytest.mark.parametrize("kind", FILES)
def test_a_bucket_holds_what_a_folder_holds(kind: str, bucket: str, tmp_path: Path) -> None:
    client, name = boto3.client("s3"), bucket.removeprefix("s3://")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in FILES[kind].items():
            client.put_object(Bucket=name, Key=f"in/{path}", Body=content)
            archive.writestr(path, content)
    client.put_object(Bucket=name, Key="set.zip", Body=buffer.getvalue())
    expected = [facts(photo) for photo in opened(kind, str(plant(tmp_path / "in", FILES[kind]))).photos()]
    for place in (f"{bucket}/in", f"{bucket}/set.zip"):
        assert [facts(photo) for photo in opened(kind, place).photos()] == expected
