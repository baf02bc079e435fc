"""`python -m benchmarks.enrolment`: enrol 10 new classes of 5 photos beside 1,000, from the command to a device.

A home of its own: a dataset version of rendered pills, a release of ImageNet's weights without any training, promoted
and pulled by a device. What is timed is `discern enrol` in a process of its own, its start included; then the device
pulls again, and the files that it lacked are counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.results import REPOSITORY
from benchmarks.run import BenchmarkParser, positive_int
from discern.sources.pills import PillsConfig
from discern.sources.pills.workers import class_photos
from edge_runtime.core.index import ADDED_FILE, GRAPH_FILE, VECTORS_FILE
from edge_runtime.core.manifest import ReleaseManifest, parse_manifest
from edge_runtime.core.release import MANIFEST_FILE
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull

USE_CASE = "parts"
PHOTOS, QUERIES = 5, 2  # of each class: enrolled, and asked to calibrate and to measure
NEW_CLASSES, NEW_PHOTOS = 10, 5
INDEX_FILES = (VECTORS_FILE, GRAPH_FILE, ADDED_FILE)


def main() -> None:
    """Build the release, enrol, pull, and save the figures."""
    parser = BenchmarkParser("enrolment", __doc__, modules=("cli.main", "pipelines.enrolment", "steps.enrolment.enrol"))
    parser.add_trial("--classes", type=positive_int, default=1000, help="classes that are enrolled before")
    run = parser.start()
    with tempfile.TemporaryDirectory(prefix="discern-enrolment-") as folder:
        workplace = Workplace(Path(folder))
        before = workplace.first_release(run.options.classes)
        photos = workplace.new_photos()
        started = time.perf_counter()
        told = workplace.discern("enrol", USE_CASE, "--from", str(photos), "--by", "benchmark", "--json")
        seconds = time.perf_counter() - started
        published = json.loads(told.splitlines()[-1])
        if published["channel"] is None:
            raise SystemExit(f"the new classes were not enrolled: {published['reason']}")
        after = workplace.pulled()
    run.save(
        {
            "classes": before.counts.classes,
            "classes_after": after.counts.classes,
            "gallery_photos": before.counts.gallery,
            "dim": before.models.embedding.dim,
            "seconds": round(seconds, 1),
            "bytes_fetched": _new_bytes(before, after, after.files),
            "model_bytes_fetched": _new_bytes(before, after, after.models.files),
            "index_bytes_fetched": _new_bytes(before, after, INDEX_FILES),
            "index_bytes": sum(after.files[name].bytes for name in INDEX_FILES if name in after.files),
        }
    )


def _new_bytes(before: ReleaseManifest, after: ReleaseManifest, names: Mapping[str, Any] | tuple[str, ...]) -> int:
    """Count the bytes of files that the release before did not have."""
    had = {entry.sha256 for entry in before.files.values()}
    entries = [after.files[name] for name in names if name in after.files]
    return sum(entry.bytes for entry in entries if entry.sha256 not in had)


class Workplace:
    """A folder with configs, a home and a device."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.device = folder / "device"
        self.home.mkdir()

    def discern(self, *arguments: str) -> str:
        """Run a command as a person does, in this folder; returns what it printed."""
        environment = {**os.environ, "DISCERN_HOME": str(self.home), "PYTHONPATH": str(REPOSITORY)}
        command = ["bash", "-c", f'source {REPOSITORY}/.envrc && cd {self.folder} && exec "$@"', "discern"]
        done = subprocess.run(
            [*command, sys.executable, "-m", "cli", *arguments],
            cwd=REPOSITORY,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def first_release(self, classes: int) -> ReleaseManifest:
        """Bring a release of `classes` classes to the device."""
        self._write_configs(classes)
        self.discern("stack", "apply", "local")
        self.discern("release", "init")
        for command in ("data", "run"), ("train",), ("promote",):
            self.discern(*command, USE_CASE)
        return self.pulled()

    def pulled(self) -> ReleaseManifest:
        """Let the device pull; returns the manifest of the release that it answers with."""
        root = None if self.device.exists() else self.home / "keys" / "root.json"
        done = pull(str(self.home / "releases"), self.device, trusted_root=root)
        return parse_manifest((Home(self.device).folder(done.release) / MANIFEST_FILE).read_bytes())

    def new_photos(self) -> Path:
        """Render pills of another seed into a folder for each class."""
        folder = self.folder / "new"
        config = _pills(NEW_CLASSES, NEW_PHOTOS, seed=1)
        for photo in class_photos(config, range(NEW_CLASSES)):
            path = folder / f"new-{photo.label}" / Path(photo.name).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo.load())
        return folder

    def _write_configs(self, classes: int) -> None:
        folder = self.folder / "configs" / USE_CASE
        folder.mkdir(parents=True)
        source = {"kind": "pills", **_pills(classes, PHOTOS + QUERIES).model_dump(exclude={"kind"})}
        model = {"backbone": "tf_efficientnet_lite0", "weights": "package:efficientnet_lite0"}
        configs = {
            "data": {"source": source, "checks": {"waive": {"duplicates": "rendered"}}},
            "training": {
                "image": {"size": 96},
                "teacher": "none",
                "student": {"model": model},
                "gallery": {"photos_per_class": PHOTOS},
                "packaging": {"numeric_format": {"variants": []}},
            },
            "promotion": {
                "keys": "${DISCERN_HOME}/keys",
                "gates": dict.fromkeys(("least_recall_at_1", "least_tpir", "least_tnir", "least_precision"), 0.0),
            },
        }
        for name, parameters in configs.items():
            (folder / f"{name}.yaml").write_text(yaml.safe_dump({"parameters": parameters}))
        limits = {"least_found": 0.0}  # what is timed is the way; untrained features do not tell pills apart well
        (folder / "enrolment.yaml").write_text(yaml.safe_dump({"parameters": {"gates": limits}}))


def _pills(classes: int, photos: int, seed: int = 0) -> PillsConfig:
    return PillsConfig(
        kind="pills", families=classes, siblings=1, photos_per_class=photos, size=96, seed=seed, heldout_families=0
    )


if __name__ == "__main__":
    main()
