from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from discern.errors import DataError
from discern.sources.files.open import open_tree
from discern.sources.table import reader
from discern.sources.table.reader import TableFile, open_table
from tests.discern.sources.layouts import plant, sentence


def opened(tmp_path: Path, content: bytes | str, name: str = "t.csv") -> TableFile:
    return open_table(open_tree(str(plant(tmp_path / "in", {name: content}))), name)


def rows(table: TableFile, *columns: str) -> list[tuple[int, list[Any]]]:
    return [(line, list(cells)) for line, cells in table.rows(columns or table.header)]


def parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_parts_cells_is_seen_from_the_header(tmp_path: Path, sign: str, mark: str, end: str) -> None:
    lines = ["path| label |note", '"a|1.jpg"|tag|', 'b.jpg|"the ""big"" one"|x y']
    table = opened(tmp_path, mark + end.join(lines).replace("|", sign) + end)
    assert table.header == ["path", "label", "note"]
    assert rows(table) == [(2, [f"a{sign}1.jpg", "tag", ""]), (3, ["b.jpg", 'the "big" one', "x y"])]
    assert rows(table, "note", "path")[1] == (3, ["x y", "b.jpg"])


def test_other_signs_inside_cells_do_not_mislead(tmp_path: Path) -> None:
    table = opened(tmp_path, 'path;"label, or class";box\na,b.jpg;x\ty;1,2,3,4')
    assert table.header == ["path", "label, or class", "box"]
    assert rows(table) == [(2, ["a,b.jpg", "x\ty", "1,2,3,4"])]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    table = opened(tmp_path, '\n\npath,label\n\na.jpg,"two\nlines"\n\nb.jpg,x\n')
    assert rows(table) == [(5, ["a.jpg", "two\nlines"]), (8, ["b.jpg", "x"])]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_line_of_excel_above_the_header_says_what_parts_cells(tmp_path: Path, first: str) -> None:
    table = opened(tmp_path, f"\ufeff{first}\r\npath;label, or none\r\na;b,c\r\n")
    assert table.header == ["path", "label, or none"]
    assert rows(table, "path", "label, or none") == [(3, ["a", "b,c"])]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_says_its_encoding_by_its_mark(tmp_path: Path, encoding: str) -> None:
    table = opened(tmp_path, "path\tlabel\na\tSchl\u00fcssel\n".encode(encoding))
    assert rows(table, "path", "label") == [(2, ["a", "Schl\u00fcssel"])]


def test_one_column_is_a_table_too(tmp_path: Path) -> None:
    assert rows(opened(tmp_path, "path\na.jpg\nb.jpg")) == [(2, ["a.jpg"]), (3, ["b.jpg"])]
    assert rows(opened(tmp_path, "path\n")) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\na.jpg,x\nb.jpg", "line 3 of t.csv has 1 cells, and its header has 2: mend the line"),
        ("path,label\na.jpg,x,y\nb.jpg,x", "line 2 of t.csv has 3 cells, and its header has 2"),
        ('path,label\n\n"a\nb",x\n"c\nd"', "line 5 of t.csv has 1 cells"),
        ('path,label\na.jpg,"x\nb.jpg,y\n', "line 2 of t.csv is not CSV (unexpected end of data): mend its quotes"),
        ('path,label\na.jpg,"x"y\n', "line 2 of t.csv is not CSV"),
        ("path,label\na.jpg," + "x" * 200_000, "line 2 of t.csv is not CSV (field larger than field limit"),
        ("x" * 300_000, "line 1 of t.csv is not CSV (field larger"),
        ("a.jpg,20,20,nut\nb.jpg,1,1,nut\n", "the first line of t.csv names a photo where its columns' names belong"),
        ("path,label,path\n", "t.csv has two columns named 'path': rename one"),
        ("", "t.csv is empty: give it a line that names its columns"),
        ("\ufeff\n\n", "t.csv is empty"),
        (b"path,label\na.jpg,gr\xfcn\n", "is not UTF-8 text: save it as UTF-8"),
        ("path,Schl\u00fcssel\n".encode("cp1252"), "is not UTF-8 text"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_csv_that_is_wrong_is_named(tmp_path: Path, content: bytes | str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        rows(opened(tmp_path, content))
    assert message in sentence(caught.value)


def test_rows_of_parquet_are_python_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BATCH", 2)
    moment = datetime(2020, 4, 22, 10, 15, 3, tzinfo=UTC)
    naive = moment.replace(tzinfo=None)
    table = pa.table(
        {
            "path": ["a.jpg", "b.jpg", "c.jpg"],
            "label": pa.array(["x", None, "x"]).dictionary_encode(),
            "number": pa.array([1, None, 3], pa.int8()),
            "nanoseconds": pa.array([naive, None, naive], pa.timestamp("ns")),
            "elsewhere": pa.array([moment, None, moment], pa.timestamp("s", "Europe/Berlin")),
            "day": pa.array([naive.date(), None, None]),
            "box": pa.array([[1, 2, 3, 4.5], None, [0, 0, 1, 1]], pa.list_(pa.float32())),
        }
    )
    opened_table = opened(tmp_path, parquet(table), "t.PARQUET")
    assert opened_table.header == table.column_names
    found = rows(opened_table)
    assert found[0] == (1, ["a.jpg", "x", 1, moment, moment, naive.date(), [1, 2, 3, 4.5]])
    assert found[1] == (2, ["b.jpg", None, None, None, None, None, None])
    assert [line for line, _ in found] == [1, 2, 3]
    assert rows(opened_table, "label", "path")[2] == (3, ["x", "c.jpg"])


def damaged(place: int) -> bytes:
    data = bytearray(parquet(pa.table({"path": ["a.jpg"] * 100, "label": [f"label {i}" for i in range(100)]})))
    data[place] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1", b"path,label\n", damaged(10), damaged(-8), damaged(-1), parquet(pa.table({"a": [1]}))[:-30]],
)
def test_a_parquet_file_that_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError) as caught:
        rows(opened(tmp_path, content, "t.parquet"))
    assert sentence(caught.value).startswith("t.parquet cannot be read as Parquet (")


def test_a_list_of_fixed_length_may_not_be_missing(tmp_path: Path) -> None:
    table = pa.table({"box": pa.array([[1, 2, 3, 4], None], pa.list_(pa.float32(), 4))})
    with pytest.raises(DataError, match="cannot be read as Parquet"):  # pyarrow writes it and cannot read it
        rows(opened(tmp_path, parquet(table), "t.parquet"))


def test_a_time_that_python_cannot_hold_is_named(tmp_path: Path) -> None:
    table = pa.table({"path": ["a.jpg"], "captured_at": pa.array([2**40], pa.timestamp("s"))})
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet"):
        rows(opened(tmp_path, parquet(table), "t.parquet"))


def test_two_parquet_columns_of_one_name_are_named(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["label", "label"])
    with pytest.raises(DataError, match=r"t\.parquet has two columns named 'label'"):
        opened(tmp_path, parquet(table), "t.parquet")
