"""`make test-quick` runs the tests that a change concerns, nearest first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import quick
from tests.prepared import REPOSITORY
from tests.quick import MOST_FAR, MOST_NEAR, TestFile, first_and_then, nearest, read_tests


def file_of(path: str, *imports: str, text: str = "") -> TestFile:
    return TestFile(Path(path), frozenset(map(Path, imports)), text)


DIFF, INGEST, PAGE = Path("discern/datasets/diff.py"), Path("discern/datasets/ingest.py"), Path("discern/page.py")
TESTS = [
    file_of("tests/cli/test_data.py", "cli/data.py", str(DIFF), str(INGEST)),
    file_of("tests/discern/datasets/test_diff.py", str(DIFF)),
    file_of("tests/discern/datasets/test_ingest.py", str(INGEST), str(DIFF)),
    file_of("tests/discern/test_page.py", str(PAGE), text='(ROOT / "README.md").read_text()'),
    file_of("tests/orchestration/test_configs.py", "orchestration/x.py", text='ROOT / "configs"'),
]


def chosen(*changed: Path | str) -> list[str]:
    return [path.name for path in nearest({Path(path) for path in changed}, TESTS)]


def test_a_modules_own_test_comes_first_then_its_room_then_whoever_imports_it() -> None:
    assert chosen(DIFF) == ["test_diff.py", "test_ingest.py", "test_data.py"]
    assert chosen(INGEST) == ["test_ingest.py", "test_data.py"]


def test_a_test_that_names_the_module_comes_before_one_that_imports_it_through_others() -> None:
    by_name = file_of("tests/z/test_z.py", str(PAGE), "a.py", text="from discern.page import Page")
    through_others = file_of("tests/a/test_a.py", str(PAGE))
    assert nearest({PAGE}, [through_others, by_name]) == [by_name.path, through_others.path]


def test_tests_of_other_rooms_follow_if_time_is_left_or_where_the_room_has_none() -> None:
    room = [Path(f"tests/discern/datasets/test_{number}.py") for number in range(20)]
    others = [Path(f"tests/cli/test_{number}.py") for number in range(20)]
    assert first_and_then({DIFF}, room + others) == (room[:MOST_NEAR], others[:MOST_FAR])
    assert first_and_then({DIFF}, others) == (others[:MOST_FAR], [])


def test_a_changed_test_comes_before_the_tests_of_changed_modules() -> None:
    assert chosen(DIFF, "tests/discern/test_page.py")[:2] == ["test_page.py", "test_diff.py"]


def test_a_changed_conftest_concerns_the_tests_below_it() -> None:
    assert chosen("tests/discern/datasets/conftest.py") == ["test_diff.py", "test_ingest.py"]


def test_a_file_that_is_no_module_concerns_the_tests_that_name_it_or_its_folder() -> None:
    assert chosen("README.md") == ["test_page.py"]
    assert chosen("configs/pills/data.yaml") == ["test_configs.py"]


def test_a_module_that_no_test_imports_concerns_none() -> None:
    assert chosen("benchmarks/new.py") == []


def test_without_a_change_nothing_runs_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quick, "changed_since", lambda _: set[Path]())
    assert quick.main([]) == 0
    assert capsys.readouterr().out == "Nothing was changed since the last commit: no test is run.\n"


@pytest.mark.slow
def test_this_repositorys_tests_are_read_with_what_they_import() -> None:
    own = next(test for test in read_tests(REPOSITORY) if test.path == Path("tests/test_quick.py"))
    assert {Path("tests/quick.py"), Path("discern/source_code.py")} <= own.imports
