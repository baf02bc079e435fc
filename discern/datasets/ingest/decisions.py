"""Decisions on label conflicts: a table to which people add lines, and from which nothing is taken out.

A CSV file with the columns `photo` and `label`, and perhaps `by`, `at` (UTC) and `why`:

- of several lines about one photo the last one holds, and those before it are history;
- a line without a label takes the photo's decision back;
- a file of no bytes holds no decisions;
- a line is added by writing the file anew, whole or not at all, while nobody else adds one.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from discern.errors import ConfigError, DataError
from discern.sources.names import clean_label
from discern.sources.parsing import decoded
from discern.sources.table.reader import CsvTable, open_csv
from discern.storage.atomic import held
from edge_runtime.files import write_atomically


@dataclass(frozen=True)
class Decision:
    """One line of the table.

    Args:
        photo: name of a photo, or of a thing in it (`name@left,top,right,bottom`).
        label: the class that it shows; empty to take the photo's decision back.
        by: who decided.
        at: when, UTC, as ISO 8601 writes it.
        why: the reason.
    """

    photo: str
    label: str
    by: str = ""
    at: str = ""
    why: str = ""


COLUMNS = tuple(field.name for field in fields(Decision))


def read_decisions(path: Path) -> list[Decision]:
    """Read a table of decisions, in the order of its lines.

    Raises:
        FileNotFoundError: there is none.
        DataError: it is no such table; a sentence for each broken line.
    """
    try:
        return _decisions(_table(path, path.read_bytes()))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): name a CSV file of decisions.") from None


def in_force(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Return the decision that holds for each photo that has one."""
    last = {decision.photo: decision for decision in decisions}
    return {photo: decision for photo, decision in last.items() if decision.label}


def merged(stated: Mapping[str, str], table: Iterable[Decision], path: Path) -> dict[str, str]:
    """Return the labels that decisions give to photos, by the photos' names.

    Args:
        stated: `cleaning.decisions` of a config.
        table: lines of the table.
        path: of the table, for the message.

    Raises:
        ConfigError: config and table give a photo two labels; a sentence for each.
    """
    labels = {photo: decision.label for photo, decision in in_force(table).items()}
    problems = [
        f"cleaning.decisions says that {photo} is {stated[photo]!r}, and {path} that it is {labels[photo]!r}: take it "
        "out of cleaning.decisions."
        for photo in sorted(stated.keys() & labels.keys())
        if stated[photo] != labels[photo]
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return dict(sorted({**stated, **labels}.items()))


def add_decisions(path: Path, choose: Callable[[list[Decision]], list[Decision]]) -> list[Decision]:
    """Add lines to a table, or make it; of several writers at once none loses a line.

    Args:
        path: of the table.
        choose: takes the lines of the table and returns those to add; nobody else adds any meanwhile.

    Returns:
        The lines that were added.

    Raises:
        ConfigError: it cannot be written.
        DataError: it is no such table, or `choose` raised it.
    """
    choose(read_decisions(path) if path.exists() else [])  # what is refused makes no file
    added = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while added is None:  # another writer came first, and has replaced the file
            added = _add(path, choose)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): check the folder and its rights.") from None
    return added


def _add(path: Path, choose: Callable[[list[Decision]], list[Decision]]) -> list[Decision] | None:
    """Add lines while nobody else does; return None where the file is another one by now."""
    with held(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), path) as is_there:
        if not is_there:
            return None
        data = path.read_bytes()
        table = _table(path, data)
        added = choose(_decisions(table))
        if added:
            write_atomically(path, _longer(table, data, added))
        return added


def _longer(table: CsvTable | None, data: bytes, decisions: Iterable[Decision]) -> bytes:
    """Return the bytes of a table with lines added; those that are there stay as they are."""
    header, delimiter = (table.header, table.delimiter) if table else (COLUMNS, ",")
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    if table is None:
        writer.writerow(header)
    for decision in decisions:
        cells = asdict(decision)
        writer.writerow([cells.get(column, "") for column in header])
    end = b"" if data.endswith(b"\n") or not data else b"\n"
    return data + end + buffer.getvalue().encode()


def _table(path: Path, data: bytes) -> CsvTable | None:
    """Return the table in a file, None where it has no bytes."""
    if not data:
        return None
    table = open_csv(str(path), decoded(data, str(path)))
    if missing := [column for column in ("photo", "label") if column not in table.header]:
        raise DataError(f"{path} has no column {' and no column '.join(missing)}: begin it with {','.join(COLUMNS)}.")
    return table


def _decisions(table: CsvTable | None) -> list[Decision]:
    if table is None:
        return []
    columns = [column for column in COLUMNS if column in table.header]
    lines = [
        _decision(dict(zip(columns, cells, strict=True)), f"line {line} of {table.path}")
        for line, cells in table.rows(columns)
    ]
    if problems := [line for line in lines if isinstance(line, str)]:
        raise DataError("\n".join(problems))
    return [line for line in lines if isinstance(line, Decision)]


def _decision(cells: Mapping[str, str], where: str) -> Decision | str:
    """Return the decision of a line, or a sentence about what is wrong with it."""
    if not cells["photo"].strip():
        return f"{where} names no photo: name one, or delete the line."
    try:
        label = clean_label(cells["label"], where) if cells["label"].strip() else ""
    except DataError as error:
        return str(error)
    return Decision(**{**cells, "label": label})
