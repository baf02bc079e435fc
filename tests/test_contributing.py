"""CONTRIBUTING.md is true: its commands run, its examples work, and what it names exists."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytorch_metric_learning import losses, miners

from discern.learning.config import TrainingConfig
from tests.discern.pictures import jpeg
from tests.prepared import REPOSITORY

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text()


def block(language: str) -> str:
    """Return the only block of a language."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    return str(text)


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 150


@pytest.mark.slow
def test_its_commands_run() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ZENML_", "PYTEST_"))}
    script = f"set -euo pipefail\n{block('bash')}"
    child = subprocess.run(
        ["bash", "-c", script], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout[-2000:] + child.stderr[-2000:]
    assert "CPU seconds" in child.stdout


def test_the_source_that_it_shows_reads_photos(tmp_path: Path) -> None:
    for number, label in enumerate(["round", "round", "oval"]):
        (tmp_path / f"{label}_{number}.jpg").write_bytes(jpeg(number))
    module: dict[str, Any] = {"__name__": "prefix"}
    exec(compile(block("python"), "CONTRIBUTING.md", "exec", dont_inherit=True), module)  # noqa: S102 - our own page
    source = module["PrefixSource"](module["PrefixConfig"](path=str(tmp_path)))
    assert [(photo.name, photo.label) for photo in source.photos()] == [
        ("oval_2.jpg", "oval"),
        ("round_0.jpg", "round"),
        ("round_1.jpg", "round"),
    ]
    before = source.fingerprint()
    (tmp_path / "oval_3.jpg").write_bytes(jpeg(3))
    assert module["PrefixSource"](module["PrefixConfig"](path=str(tmp_path))).fingerprint() != before


def test_the_loss_that_it_shows_is_one() -> None:
    parts = yaml.safe_load(block("yaml"))
    config = TrainingConfig.model_validate({"model": {"backbone": "resnet10t"}, "steps": 1, **parts})
    assert config.miner is not None
    getattr(losses, config.loss.name)(**config.loss.parameters)
    getattr(miners, config.miner.name)(**config.miner.parameters)


def test_the_files_modules_and_targets_that_it_names_exist() -> None:
    paths = set(re.findall(r"`((?:cli|discern|docs|stacks|tests)/[\w./]+)`", TEXT)) | set(
        re.findall(r"\]\(([\w./]+)\)", TEXT)
    )
    missing = [path for path in paths if "NAME" not in path and not (REPOSITORY / path).exists()]
    assert missing == []
    modules = re.findall(r"python -m ([\w.]+)", TEXT)
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", TEXT)) <= targets
