from __future__ import annotations

from pathlib import Path

from discern.source_code import code_mark

BARE = "def double(x):\n    return 2 * x\n"


def mark(folder: Path, text: str, name: str = "module.py") -> str:
    (folder / name).write_text(text)
    return code_mark([folder])


def test_it_tells_what_code_does_and_not_what_it_says(tmp_path: Path) -> None:
    bare = mark(tmp_path, BARE)
    assert mark(tmp_path, '"""Numbers."""\n\n\ndef double(x):\n    """Twice."""\n    return 2 * x  # so\n') == bare
    assert mark(tmp_path, "def double(x):\n    return x + x\n") != bare
    assert len(bare) == 16


def test_a_further_file_and_another_name_change_it(tmp_path: Path) -> None:
    bare = mark(tmp_path, BARE)
    assert code_mark([tmp_path / "module.py"]) == bare
    assert mark(tmp_path, BARE, "other.py") != bare
    assert code_mark([tmp_path / "other.py"]) not in {bare, code_mark([])}
