"""Rows of a CSV or Parquet file, with the number of the line or row that messages name.

Rules kept:
- a CSV file is UTF-8, or UTF-16 with a byte order mark; its header, or Excel's line `sep=;` above it, says whether
  commas, semicolons or tabs part cells;
- a line with more or fewer cells than the header is an error, never shifted or filled up;
- rows stream: a million of them take no more than the file and what the caller keeps.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from discern.errors import DataError, first_line
from discern.sources.files.tree import Tree
from discern.sources.parsing import LARGE, read_text, read_whole
from discern.sources.paths import is_image

EXTENSIONS = (".csv", ".tsv", ".parquet")
DELIMITERS = ",;\t"
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[\r\n]+', re.IGNORECASE)  # Excel's own line above the header
HEADER = 100_000  # characters of the header that are looked at to tell what parts cells
# What pyarrow raises for damaged files, found by changing bytes of good ones.
DAMAGE = (pa.ArrowException, OSError, ValueError, OverflowError)
BATCH = 65_536  # rows of a Parquet file that are in memory as Python's objects


class TableFile(Protocol):
    """A table's header and rows."""

    path: str
    unit: str  # what messages count: lines or rows
    header: list[str]

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Sequence[Any]]]:
        """The cells of some columns, with the number of each row's line.

        Raises:
            DataError: a line is ragged, or the file is damaged.
        """


def open_table(tree: Tree, path: str) -> TableFile:
    """Open a table by its extension; what is not .parquet is CSV.

    Raises:
        DataError: it cannot be read, is empty, its first line is no header, or two of its columns have one name.
    """
    if not path.lower().endswith(".parquet"):
        return open_csv(path, read_text(tree, path, LARGE))
    table = ParquetTable(tree, path)
    _check_names(table)
    return table


def open_csv(path: str, text: str) -> CsvTable:
    """Open a CSV file whose text was read.

    Args:
        path: of the file, for messages.
        text: all of it.

    Raises:
        DataError: it is empty, its first line is no header, or two of its columns have one name.
    """
    table = CsvTable(path, text)
    _check_names(table)
    return table


def _check_names(table: TableFile) -> None:
    if any(is_image(name) for name in table.header):
        raise DataError(
            f"the first line of {table.path} names a photo where its columns' names belong: write a line such as "
            "path,label above it."
        )
    twice = next((name for name in table.header if name and table.header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{table.path} has two columns named {twice!r}: rename one of them.")


class CsvTable:
    """A CSV file.

    Attributes:
        delimiter: the sign between its cells.
    """

    unit = "line"

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        stated = SEPARATOR_LINE.match(text)
        self._text = text[stated.end() :] if stated else text
        self._lines_before = 1 if stated else 0
        first = re.split(r"[\r\n]", self._text.lstrip("\r\n"), maxsplit=1)[0][:HEADER]
        # Where all agree (one column), the first counts.
        likeliest = max(DELIMITERS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
        self.delimiter = stated[1] if stated else likeliest
        header = next((cells for _, cells in self._records()), None)
        if header is None:
            raise DataError(f"{path} is empty: give it a line that names its columns, and a line a photo.")
        self.header = [cell.strip() for cell in header]

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
        """The cells of some columns, as text, with the number of the line that each row begins in."""
        indices = [self.header.index(column) for column in columns]
        records = self._records()
        next(records)
        for line, cells in records:
            if len(cells) != len(self.header):
                raise DataError(
                    f"line {line} of {self.path} has {len(cells)} cells, and its header has {len(self.header)}: "
                    "mend the line, perhaps with quotes around a cell."
                )
            yield line, [cells[index] for index in indices]

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(io.StringIO(self._text, newline=""), delimiter=self.delimiter, strict=True)
        while True:
            line = self._lines_before + reader.line_num + 1  # a quoted cell may hold line breaks
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(f"line {line} of {self.path} is not CSV ({error}): mend its quotes.") from None
            if cells:  # not a blank line
                yield line, cells


class ParquetTable:
    """A Parquet file."""

    unit = "row"

    def __init__(self, tree: Tree, path: str) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(pa.BufferReader(read_whole(tree, path, LARGE)))
            self.header = list(self._file.schema_arrow.names)
        except DAMAGE as error:
            raise self._damaged(error) from None

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[int, Sequence[Any]]]:
        """The cells of some columns, with the number of each row, from 1."""
        number = 0
        batches = self._file.iter_batches(batch_size=BATCH, columns=list(columns))
        while True:
            try:
                batch = next(batches, None)
                cells = [_plain(batch.column(column)).to_pylist() for column in columns] if batch else []
            except DAMAGE as error:
                raise self._damaged(error) from None
            if batch is None:
                return
            for row in zip(*cells, strict=True):
                number += 1
                yield number, row

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self.path} cannot be read as Parquet ({first_line(error)}): write it again.")


def _plain(column: pa.Array) -> pa.Array:
    """Dictionaries as their values, and times in microseconds of UTC, which Python's own can hold."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz="UTC"), safe=False)
    return column
