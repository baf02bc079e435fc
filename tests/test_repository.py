"""What the repository as a whole promises."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
TRACKED = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
CODE = ("cli/", "discern/", "edge_runtime/", "orchestration/", "pipelines/", "stacks/", "steps/")
LOCKS = ["requirements.txt", "edge_runtime/requirements.txt"]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_and_no_addresses(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    assert "://" not in text
    pins = re.findall(r"^[a-z0-9].*$", text, re.MULTILINE)
    assert pins
    assert all("==" in pin for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)


def test_no_lock_holds_both_onnxruntimes() -> None:
    for name in LOCKS:
        assert not re.search(r"^onnxruntime-gpu", (REPOSITORY / name).read_text(), re.MULTILINE)


def test_no_weights_or_data_are_tracked() -> None:
    forbidden = {
        ".pt",
        ".pth",
        ".onnx",
        ".zip",
        ".parquet",
        ".arrow",
        ".hnsw",
        ".npy",
        ".jpg",
        ".jpeg",
        ".whl",
        ".lock",
    }
    assert [name for name in TRACKED if Path(name).suffix in forbidden] == []


def test_library_code_never_prints() -> None:
    for name in TRACKED:
        if name.endswith(".py") and name.startswith(CODE):
            tree = ast.parse((REPOSITORY / name).read_text())
            calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
            assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"], name
