"""What a results file says about the code and the machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from benchmarks import results
from benchmarks.results import MeasuredCode


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a benchmark that imports a module, a config, and what benchmarks write; all committed."""
    contents = {
        "benchmarks/__init__.py": "",
        "benchmarks/toy.py": "from library import answer\n",
        "library.py": "answer = 42\n",
        "unrelated.py": "x = 1\n",
        "configs/pills/training.yaml": "steps: 3\n",
        "benchmarks/results/toy.json": "{}",
        "docs/results.md": "text",
        "README.md": "text",
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "All"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(results, "REPOSITORY", tmp_path)
    return tmp_path


TOY = MeasuredCode(("benchmarks.toy",), ("pills",))


@pytest.mark.parametrize("name", ["benchmarks/results/toy.json", "docs/results.md", "README.md", "new.txt"])
def test_what_benchmarks_write_is_no_change(repository: Path, name: str) -> None:
    clean = results.commit()
    (repository / name).write_text("other")
    assert results.commit() == clean
    assert len(str(clean)) == 12


def test_another_change_is_told(repository: Path) -> None:
    clean = results.commit()
    (repository / "unrelated.py").write_text("x = 2\n")
    assert results.commit() == f"{clean}+"


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "REPOSITORY", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert results.commit() is None


@pytest.mark.parametrize(
    ("name", "content"), [("library.py", "answer = 43\n"), ("configs/pills/training.yaml", "steps: 4\n")]
)
def test_the_mark_is_of_the_code_and_the_configs(repository: Path, name: str, content: str) -> None:
    before = TOY.mark()
    assert before == TOY.mark()
    (repository / name).write_text(content)
    assert TOY.mark() != before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("unrelated.py", "x = 2\n"),
        ("library.py", "answer = 42  # as ever\n"),
        ("configs/pills/training.yaml", "steps: 3  # few\n"),
    ],
)
def test_the_mark_ignores_other_code_and_comments(repository: Path, name: str, content: str) -> None:
    before = TOY.mark()
    (repository / name).write_text(content)
    assert TOY.mark() == before


def test_threads_are_those_of_torch_and_of_blas() -> None:
    threads = results.threads()
    assert threads["torch"] == torch.get_num_threads()
    assert threads["blas"] >= 1
