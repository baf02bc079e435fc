"""One data set in two layouts, through the shipped configs: the same version, and a page of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from edge_runtime.core.images import encode_jpeg
from tests.discern.sources.layouts import plant

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "metal_tags"
TAGS, CROPS = 40, ("left-top", "right-top")


def planted(root: Path) -> Path:
    """Photos of tags, each with up to three scratches, labelled in Pascal VOC's and in COCO's way."""
    draws = np.random.default_rng(4)
    files: dict[str, bytes | str] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(TAGS * len(CROPS)):
        tag, crop = divmod(number, len(CROPS))
        name = f"image-2020-04-22-10-{tag:02d}-00-0{tag % 10}-cropped-{CROPS[crop]}.jpg"
        noise = draws.normal(128, 30, (120, 120, 1)).clip(0, 255).astype(np.uint8)
        files[f"JPEGImages/{name}"] = encode_jpeg(np.repeat(noise, 3, axis=2))
        images.append({"id": number, "file_name": name, "width": 120, "height": 120})
        objects = ""
        for left, top, width, height in draws.integers((12, 12, 28, 28), (50, 50, 44, 44), (number % 4, 4)).tolist():
            box = {"image_id": number, "category_id": 1, "bbox": [left, top, width, height], "iscrowd": 0}
            annotations.append({"id": len(annotations), **box})
            corners = {"xmin": left, "ymin": top, "xmax": left + width, "ymax": top + height}
            inner = "".join(f"<{key}>{value}</{key}>" for key, value in corners.items())
            objects += f"<object><name>scratch</name><bndbox>{inner}</bndbox></object>"
        text = f"<annotation><filename>{name}</filename>{objects}</annotation>"
        files[f"Annotations/{Path(name).stem}.xml"] = text
    categories = [{"id": 1, "name": "scratch"}]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    return plant(root, {**files, "annotations_coco.json": json.dumps(coco)})


def newest(step: str, output: str) -> Any:
    from zenml.client import Client

    client = Client()
    page = client.list_pipeline_runs(pipeline="data_pipeline", tags="metal_tags", sort_by="desc:created", size=1)
    return client.get_pipeline_run(page.items[0].id).steps[step].outputs[output][0].load()


@pytest.mark.slow
def test_voc_and_coco_give_one_version_of_one_class_that_passes_its_checks(
    zenml_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration import storage_layout
    from pipelines.data import data_pipeline

    monkeypatch.setenv("METAL_TAGS", str(planted(tmp_path / "tags")))
    versions: list[DatasetVersion] = []
    for name in ("data", "data_coco"):
        data_pipeline.with_options(config_path=str(CONFIGS / f"{name}.yaml"))()
        versions.append(newest("gate", "dataset_version"))
    one, other = versions
    assert one.id == other.id
    assert len(one) == sum(number % 4 for number in range(TAGS * len(CROPS)))
    assert set(one.column("margin")) == {0.2}
    sides: dict[str, set[str]] = {}
    for group, role in zip(one.column("group"), one.column("role"), strict=True):
        sides.setdefault(group, set()).add(role)
    assert all(len(roles) == 1 for roles in sides.values())
    assert len(one.negatives()) == TAGS * len(CROPS) // 4, "every fourth photo shows no scratch"
    assert newest("ingest", "rejected").photos == ()
    page = Path(storage_layout.reports(), "data", "metal_tags", one.id, "index.html").read_text()
    assert "empty images" in page
