"""What a person sees of bad input: one sentence that names the file or key, exit status 1, and nothing half-written."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from discern.errors import DataError, GateError
from tests.discern.datasets.leftovers import check_whole
from tests.e2e.conftest import CONFIGS, Workplace

REPOSITORY = Path(__file__).resolve().parents[2]


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (48, 48, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def huge() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    return buffer.getvalue()


BAD_PHOTOS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "truncated": ("bad.jpg", lambda: picture(0)[:-400]),
    "huge": ("bad.png", huge),
}


def folder_of_classes(folder: Path, classes: int = 10, photos: int = 4) -> Path:
    for number in range(classes):
        (folder / f"class-{number}").mkdir(parents=True)
        for photo in range(photos):
            (folder / f"class-{number}" / f"{photo}.jpg").write_bytes(picture(number * 100 + photo))
    return folder


def run_on(loop: Workplace, path: Path) -> str:
    """Run the data pipeline on `path`; returns the sentence that it failed with."""
    shards = loop.home / "datasets" / "shards"
    before = set(shards.glob("*.arrow"))
    with pytest.raises((DataError, GateError)) as caught:
        # A use case of its own: the next run of the loop is not to grow from what this one ingests.
        loop.run("data", use_case="bad-input", source={"kind": "folder", "path": str(path)})
    check_whole(shards)
    assert before <= set(shards.glob("*.arrow"))
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("kind", BAD_PHOTOS)  # further kinds: tests of `write_version`
def test_a_bad_photo_is_named(loop: Workplace, tmp_path: Path, kind: str) -> None:
    name, data = BAD_PHOTOS[kind]
    folder = folder_of_classes(tmp_path / "photos")
    (folder / "class-3" / name).write_bytes(data())
    assert f"class-3/{name}" in run_on(loop, folder)


def test_a_folder_without_images(loop: Workplace, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert str(tmp_path / "photos") in run_on(loop, tmp_path / "photos")


def test_one_class(loop: Workplace, tmp_path: Path) -> None:
    assert "class" in run_on(loop, folder_of_classes(tmp_path / "photos", classes=1))


def test_a_class_with_one_image(loop: Workplace, tmp_path: Path) -> None:
    folder = folder_of_classes(tmp_path / "photos")
    for photo in (1, 2, 3):
        (folder / "class-7" / f"{photo}.jpg").unlink()
    assert "class-7" in run_on(loop, folder)


def test_a_zip_that_climbs_out(loop: Workplace, tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1.jpg", picture(1))
        archive.writestr("../evil.jpg", picture(2))
    assert "../evil.jpg" in run_on(loop, path)
    assert not (tmp_path.parent / "evil.jpg").exists()


def on_the_command_line(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run([*command], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_the_command_line_says_one_sentence(loop: Workplace, tmp_path: Path) -> None:
    folder = folder_of_classes(tmp_path / "photos")
    (folder / "class-3" / "bad.jpg").write_bytes(b"")
    config = yaml.safe_load((CONFIGS / "data.yaml").read_text())
    config["parameters"]["source"] = {"kind": "folder", "path": str(folder)}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(config))
    child = on_the_command_line(
        tmp_path, "zenml", "pipeline", "run", "pipelines.data.data_pipeline", "-c", str(tmp_path / "data.yaml")
    )
    assert child.returncode == 1
    assert "Traceback" not in child.stdout + child.stderr
    last = child.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert "class-3/bad.jpg" in last


@pytest.mark.long
def test_a_typo_in_a_config_is_named_on_the_command_line(loop: Workplace, tmp_path: Path) -> None:
    config = yaml.safe_load((CONFIGS / "training.yaml").read_text())
    config["parameters"]["teacher"]["stepps"] = 3
    (tmp_path / "training.yaml").write_text(yaml.safe_dump(config))
    child = on_the_command_line(
        tmp_path,
        "zenml",
        "pipeline",
        "run",
        "pipelines.training.training_pipeline",
        "-c",
        str(tmp_path / "training.yaml"),
    )
    assert child.returncode == 1
    assert "Traceback" not in child.stdout + child.stderr
    assert "parameters.teacher.stepps: unknown key" in child.stderr


@pytest.mark.long
def test_a_missing_stack_is_named(loop: Workplace, tmp_path: Path) -> None:
    child = on_the_command_line(tmp_path, "zenml", "stack", "set", "nowhere")
    assert child.returncode == 1
    assert "Traceback" not in child.stdout + child.stderr
    assert "nowhere" in child.stdout + child.stderr
