"""The table of decisions: what it says, who may add to it, and what is refused."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from discern.datasets.ingest.decisions import COLUMNS, Decision, add_decisions, in_force, merged, read_decisions
from discern.errors import ConfigError, DataError

HEADER = "photo,label,by,at,why\n"
NUT = Decision("a/1.jpg", "nut", "ann", "2026-11-28T10:00:00Z", 'the "ruler", 8 mm')


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "parts" / "decisions.csv"


def write(table: Path, text: str) -> Path:
    table.parent.mkdir(exist_ok=True)
    table.write_text(text)
    return table


def test_what_is_added_is_read_again(table: Path) -> None:
    assert add_decisions(table, lambda _: [NUT]) == [NUT]
    bolt = Decision("b,c/\u00e9\n.jpg", "bolt")
    assert add_decisions(table, lambda lines: [bolt] if lines == [NUT] else []) == [bolt]
    assert read_decisions(table) == [NUT, bolt]
    assert [path.name for path in table.parent.iterdir()] == ["decisions.csv"]


def test_the_last_line_holds_and_one_without_a_label_takes_back(table: Path) -> None:
    write(table, HEADER + "a,nut,,,\nb,bolt,,,\na,washer,ann,,\nb,,,,\n")
    assert {photo: decision.label for photo, decision in in_force(read_decisions(table)).items()} == {"a": "washer"}


def test_a_table_from_a_spreadsheet_keeps_its_bytes(table: Path) -> None:
    before = "\ufefflabel;photo;note\r\nnut;a;typed by hand".encode()
    table.parent.mkdir()
    table.write_bytes(before)
    add_decisions(table, lambda _: [NUT])
    assert table.read_bytes().startswith(before + b"\n")
    assert [(line.photo, line.label) for line in read_decisions(table)] == [("a", "nut"), ("a/1.jpg", "nut")]


def test_a_file_of_no_bytes_holds_no_decisions(table: Path) -> None:
    assert read_decisions(write(table, "")) == []
    add_decisions(table, lambda _: [NUT])
    assert table.read_text().startswith(",".join(COLUMNS))


def test_nothing_to_add_changes_nothing(table: Path) -> None:
    write(table, HEADER)
    before = table.stat().st_ino
    assert add_decisions(table, lambda _: []) == []
    assert table.stat().st_ino == before


def test_what_is_refused_makes_no_file(table: Path) -> None:
    def refuse(_: object) -> list[Decision]:
        raise DataError("no.")

    with pytest.raises(DataError):
        add_decisions(table, refuse)
    assert not table.parent.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEADER + "a,nut,,,\n,bolt,,,\na,\x07,,,\n", ["line 3 of .* names no photo", "line 4 of .* U+0007"]),
        (HEADER + "a,nut\n", ["line 2 of .* has 2 cells, and its header has 5"]),
        (HEADER + '"a,nut,,,\n', ["line 2 of .* is not CSV"]),
        ("picture,label\na,nut\n", ["has no column photo: begin it with photo,label,by,at,why"]),
        ("photo,label,label\n", ["two columns named 'label'"]),
        ("\n\n", ["is empty"]),
        ("photo,label\nb\udce4r,x\n", ["is not UTF-8"]),
    ],
)
def test_a_broken_table_is_told_with_file_and_line_and_not_added_to(table: Path, text: str, says: list[str]) -> None:
    table.parent.mkdir()
    table.write_bytes(text.encode(errors="surrogateescape"))
    before = table.read_bytes()
    for attempt in (read_decisions, lambda path: add_decisions(path, lambda _: [NUT])):
        with pytest.raises(DataError) as caught:
            attempt(table)
        lines = str(caught.value).splitlines()
        assert len(lines) == len(says)
        for line, start in zip(lines, says, strict=True):
            assert all(part in line for part in [str(table), *start.split(" .* ")])
    assert table.read_bytes() == before


def test_a_folder_in_its_place_is_one_sentence(table: Path) -> None:
    table.mkdir(parents=True)
    with pytest.raises(DataError, match=r"decisions\.csv cannot be read \(Is a directory\)"):
        read_decisions(table)


def test_a_file_in_place_of_its_folder_is_one_sentence(table: Path) -> None:
    table.parent.write_text("")
    with pytest.raises(ConfigError, match=r"decisions\.csv cannot be written"):
        add_decisions(table, lambda _: [NUT])


def test_config_and_table_are_joined_where_they_agree(table: Path) -> None:
    lines = [NUT, Decision("c", "bolt"), Decision("d", "")]
    assert merged({"b": "washer", "c": "bolt", "d": "x"}, lines, table) == {
        "a/1.jpg": "nut",
        "b": "washer",
        "c": "bolt",
        "d": "x",
    }
    with pytest.raises(ConfigError) as caught:
        merged({"c": "washer", "a/1.jpg": "bolt"}, lines, table)
    assert [line.partition(",")[0] for line in str(caught.value).splitlines()] == [
        "cleaning.decisions says that a/1.jpg is 'bolt'",
        "cleaning.decisions says that c is 'washer'",
    ]


def add_some(table: Path, writer: int) -> None:
    for number in range(20):
        add_decisions(table, lambda _, number=number: [Decision(f"{writer}/{number}", "nut")])  # type: ignore[misc]


def test_several_writers_lose_nothing(table: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=add_some, args=(table, writer)) for writer in range(4)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0] * 4
    photos = [line.photo for line in read_decisions(table)]
    assert sorted(photos) == sorted(f"{writer}/{number}" for writer in range(4) for number in range(20))
