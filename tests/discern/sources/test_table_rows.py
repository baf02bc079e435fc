from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from discern.errors import DataError
from discern.sources.base import UNSTATED, Photo, Provenance
from tests.discern.sources.layouts import AWKWARD_LABELS, UNFIT_LABELS, plant, sentence
from tests.discern.sources.test_table import photos
from tests.discern.sources.test_table_reader import parquet


def read(tmp_path: Path, **cells: Any) -> Photo:
    """The photo of a Parquet table's only row."""
    row = {"path": "a.jpg", "label": "tag", **cells}
    table = pa.table({key: value if isinstance(value, pa.Array) else pa.array([value]) for key, value in row.items()})
    (found,) = photos(plant(tmp_path / "set", {"a.jpg": b"x", "t.parquet": parquet(table)}))
    return found


def read_csv(tmp_path: Path, **cells: str) -> Photo:
    """The photo of a CSV table's only row; cells are written as they are."""
    row = {"path": "a.jpg", "label": "tag", **cells}
    text = ";".join(row) + "\n" + ";".join(row.values()) + "\n"
    (found,) = photos(plant(tmp_path / "set", {"a.jpg": b"x", "t.csv": text}))
    return found


@pytest.mark.parametrize("label", AWKWARD_LABELS)
def test_a_label_stays_as_it_is(tmp_path: Path, label: str) -> None:
    assert read(tmp_path, label=label).label == label
    assert read_csv(tmp_path / "csv", label=label).label == label


@pytest.mark.parametrize("label", UNFIT_LABELS)
def test_an_unfit_label_is_named(tmp_path: Path, label: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, label=label)
    assert sentence(caught.value).startswith("row 1 of t.parquet has a label ")
    with pytest.raises(DataError, match=r"line 2 of t\.csv has a label "):
        read_csv(tmp_path / "csv", label=label)


@pytest.mark.parametrize("label", [None, "", "  "])
def test_a_blank_label_is_none(tmp_path: Path, label: str | None) -> None:
    assert read(tmp_path, label=pa.array([label], pa.string())).label is None
    assert read_csv(tmp_path / "csv", label=label or "").label is None


def test_whole_numbers_are_text(tmp_path: Path) -> None:
    found = read(tmp_path, label=7, group=12)
    assert (found.label, found.group) == ("7", "12")
    assert read_csv(tmp_path / "csv", label="7").label == "7"


@pytest.mark.parametrize("label", [1.5, True, b"tag", ["tag"]])
def test_other_values_are_no_text(tmp_path: Path, label: object) -> None:
    with pytest.raises(DataError, match=r"row 1 of t\.parquet has .* in its column label: text is needed"):
        read(tmp_path, label=label)


def test_a_row_without_a_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2 of t\.csv names no file in its column path: add it"):
        read_csv(tmp_path, path=" ")


SPLITS = {
    "train": "train",
    " Val ": "validation",
    "valid": "validation",
    "dev": "validation",
    "eval": "validation",
    "validation": "validation",
    "TEST": "test",
    "": None,
}


@pytest.mark.parametrize(("text", "split"), SPLITS.items())
def test_splits(tmp_path: Path, text: str, split: str | None) -> None:
    found = read_csv(tmp_path, split=text).split
    assert found == (None if split == "train" else split)  # a table of training photos alone splits nothing


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("split", "training", "has the split 'training': write train, validation or test"),
        ("split", "1", "has the split '1': write"),
        ("role", "probe", "has the role 'probe': write gallery or query"),
        ("captured_at", "yesterday", "has the time 'yesterday': write it like 2020-04-22T10:15:03Z"),
        ("captured_at", "2020-13-22", "has the time '2020-13-22': write it like"),
        ("captured_at", "1587550503", "has the time '1587550503': write it like"),
        ("captured_at", "0001-01-01T00:00+14:00", "has the time '0001-01-01T00:00+14:00'"),
        ("box", "1,2,3", "has the box '1,2,3': write left,top,right,bottom in pixels"),
        ("box", "1 2 3 4", "has the box '1 2 3 4': write left,top,right,bottom in pixels"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, column: str, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_csv(tmp_path, **{column: text})
    assert sentence(caught.value).startswith(f"line 2 of t.csv {message}")


def test_roles(tmp_path: Path) -> None:
    assert [read_csv(tmp_path, role=text).role for text in ("gallery", "Query ", "")] == ["gallery", "query", None]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-04-22", datetime(2020, 4, 22, tzinfo=UTC)),
        ("2020-04-22T10:15:03.25", datetime(2020, 4, 22, 10, 15, 3, 250_000, tzinfo=UTC)),
        (" 2020-04-22 10:15+0545", datetime(2020, 4, 22, 4, 30, tzinfo=UTC)),
        ("20200422T101503Z", datetime(2020, 4, 22, 10, 15, 3, tzinfo=UTC)),
        ("", None),
    ],
)
def test_times(tmp_path: Path, text: str, moment: datetime | None) -> None:
    assert read_csv(tmp_path, captured_at=text).captured_at == moment


def test_a_day_is_a_time_and_a_number_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, captured_at=date(2020, 4, 22)).captured_at == datetime(2020, 4, 22, tzinfo=UTC)
    with pytest.raises(DataError, match=r"row 1 of t\.parquet has the time '1587550503'"):
        read(tmp_path, captured_at=1587550503)


@pytest.mark.parametrize("text", ["1,2,3.5,4", " [1, 2, 3.5, 4] ", "(1,2,3.5,4)", "1e0,2,35e-1,4"])
def test_boxes_in_one_column(tmp_path: Path, text: str) -> None:
    assert read_csv(tmp_path, box=text).box == (1, 2, 3.5, 4)


@pytest.mark.parametrize("box", [[1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0], "1,2,3,4", None])
def test_boxes_in_parquet(tmp_path: Path, box: object) -> None:
    assert read(tmp_path, box=box).box == (None if box is None else (1, 2, 3, 4))


def test_boxes_in_four_columns(tmp_path: Path) -> None:
    assert read_csv(tmp_path, left="1", top="2", right=" 3.5", bottom="4").box == (1, 2, 3.5, 4)
    assert read(tmp_path / "b", left=1, top=2.0, right="3.5", bottom=4).box == (1, 2, 3.5, 4)
    assert read_csv(tmp_path, left="", top=" ", right="", bottom="").box is None


def test_boxes_that_make_no_sense_are_for_ingest_to_refuse(tmp_path: Path) -> None:
    assert read_csv(tmp_path, box="9,9,-3,9").box == (9, 9, -3, 9)


@pytest.mark.parametrize("text", ["nan,2,3,4", "1,inf,3,4", "1,2,,4", "1,2,3,4px", "left,top,right,bottom"])
def test_a_coordinate_that_is_no_number_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"the box in line 2 of t\.csv has '.*' where a number belongs"):
        read_csv(tmp_path, box=text)


@pytest.mark.parametrize("box", [[1, 2, float("nan"), 4], [1, 2, float("inf"), 4], [None, 2, 3, 4], [True] * 4])
def test_a_number_that_is_not_finite_is_named(tmp_path: Path, box: list[float]) -> None:
    with pytest.raises(DataError, match=r"the box in row 1 of t\.parquet has '.*' where a number belongs"):
        read(tmp_path, box=box)


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, 4, 5], 7, {"left": 1}])
def test_another_shape_is_no_box(tmp_path: Path, box: object) -> None:
    with pytest.raises(DataError, match=r"row 1 of t\.parquet has the box .*: write left,top,right,bottom"):
        read(tmp_path, box=box)


def test_half_a_box_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the box in line 2 of t\.csv has '' where a number belongs"):
        read_csv(tmp_path, left="1", top="2", right="", bottom="4")


def test_a_row_may_say_that_its_image_is_empty_or_unlabelled(tmp_path: Path) -> None:
    assert read_csv(tmp_path / "empty", label="", row_kind=" Empty").kind == "empty"
    assert read_csv(tmp_path / "none", label="", row_kind="unlabelled").kind == "unlabelled"
    assert read_csv(tmp_path / "blank", label="", row_kind="").kind == "unlabelled"
    assert read_csv(tmp_path / "thing", row_kind="instance").kind == "instance"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"row_kind": "empty"}, "is empty and has a label: remove the label"),
        ({"row_kind": "instance", "label": ""}, "is an instance without a label"),
        ({"row_kind": "full", "label": ""}, "has the row kind 'full': write one of instance, empty, unlabelled"),
        ({"row_kind": "empty", "label": "", "box": "1,2,3,4"}, "is an empty image with a box"),
        ({"label_method": "guess"}, "has the label method 'guess': write one of import, annotation"),
        ({"label_method": "", "confidence": "1.5"}, "has the confidence 1.5: write a number from 0 to 1"),
        ({"label_method": "", "labelled_at": "soon"}, "has the time 'soon'"),
    ],
    ids=str,
)
def test_a_row_that_contradicts_itself_is_named(tmp_path: Path, cells: dict[str, str], reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        read_csv(tmp_path, **cells)
    assert sentence(caught.value).startswith("line 2 of t.csv ")


def test_a_row_states_its_provenance(tmp_path: Path) -> None:
    photo = read_csv(
        tmp_path,
        labelled_by="ann",
        label_method="Correction",
        labelled_at="2026-04-01T12:00",
        confidence="0.75",
        device="line 3",
        release="0123",
    )
    noon = datetime(2026, 4, 1, 12, tzinfo=UTC)
    assert photo.provenance == Provenance("ann", "correction", noon, 0.75, "line 3", "0123")


def test_common_names_mean_nothing_in_a_table_that_states_no_provenance(tmp_path: Path) -> None:
    assert read_csv(tmp_path, confidence="high", device="camera", release="yes").provenance == UNSTATED
