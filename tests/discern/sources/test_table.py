from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from discern.sources.base import Photo
from discern.sources.table.source import TableConfig, TableSource
from tests.discern.pictures import jpeg
from tests.discern.sources.layouts import complaint_of, listed, pack, plant, said
from tests.discern.sources.test_table_reader import parquet

IMAGES: dict[str, bytes | str] = {f"in/{name}.jpg": jpeg(i) for i, name in enumerate("abcd")}
CSV = """path,label,group,captured_at,box,split,role
in/c.jpg,tag,lot 2,2020-04-22T10:15:03,,val,query
in/a.jpg,tag,lot 1,2020-04-22T12:15:03+02:00,"9,2,12,14",train,gallery
in/a.jpg,dent,lot 1,2020-04-22 10:15:03Z,"1.5, 2, 3, 4",train,gallery
in/b.jpg,,,,,,
"""
EXPECTED = [
    ("in/a.jpg", "dent", (1.5, 2, 3, 4)),
    ("in/a.jpg", "tag", (9, 2, 12, 14)),
    ("in/b.jpg", None, None),
    ("in/c.jpg", "tag", None),
]
FILES: dict[str, bytes | str] = {**IMAGES, "t.csv": CSV}
MOMENT = datetime(2020, 4, 22, 10, 15, 3, tzinfo=UTC)


photos = partial(listed, "table")
complaint = partial(complaint_of, "table", FILES)


@pytest.mark.parametrize("top", ["", "set/"])
def test_an_archive_may_have_a_top_folder(tmp_path: Path, top: str) -> None:
    found = photos(pack(tmp_path / "a.zip", FILES, top))
    assert said(found) == [(top + name, label, box) for name, label, box in EXPECTED]


def test_a_table_says_all_there_is_to_say(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "set", FILES), margin=0.1)
    assert said(found) == EXPECTED
    assert [(photo.split, photo.role, photo.group, photo.captured_at, photo.margin) for photo in found] == [
        ("train", "gallery", "lot 1", MOMENT, 0.1),
        ("train", "gallery", "lot 1", MOMENT, 0.1),
        (None, None, None, None, 0.0),
        ("validation", "query", "lot 2", MOMENT, 0.0),
    ]
    assert found[0].load() == IMAGES["in/a.jpg"]
    assert found[0].stamp


@pytest.mark.parametrize("written", ["in\\{}.jpg", ".\\in\\{}.jpg", "/home/ann/set/in/{}.jpg", "C:\\set\\in\\{}.jpg"])
def test_a_path_may_be_another_machines(tmp_path: Path, written: str) -> None:
    lines = "".join(f"{written.format(name)},tag\n" for name in "abcd")
    twins: dict[str, bytes | str] = {f"out/{name}.jpg": jpeg(9) for name in "abcd"}
    found = photos(plant(tmp_path / "set", {**IMAGES, **twins, "t.csv": f"path,label\n{lines}"}))
    assert [photo.name for photo in found] == sorted(IMAGES)


def test_a_column_for_each_class_is_named(tmp_path: Path) -> None:
    text = "path, nut, bolt\nin/a.jpg, 0, 1\nin/b.jpg, 1, 0\n"
    message = complaint(tmp_path, {"t.csv": text})
    assert "has no column 'label', and its columns nut, bolt hold 0 and 1: write the name" in message


def test_parquet_says_the_same(tmp_path: Path) -> None:
    naive = MOMENT.replace(tzinfo=None)
    table = pa.table(
        {
            "path": ["in/c.jpg", "in/a.jpg", "in/a.jpg", "in/b.jpg"],
            "label": pa.array(["tag", "tag", "dent", None]).dictionary_encode(),
            "group": ["lot 2", "lot 1", "lot 1", None],
            "captured_at": pa.array([naive, naive, naive, None], pa.timestamp("ns")),
            "box": [None, [9, 2, 12, 14], [1.5, 2, 3, 4], None],
            "split": ["validation", "train", "train", None],
            "role": ["query", "gallery", "gallery", ""],
        }
    )
    plain = photos(plant(tmp_path / "csv" / "set", FILES))
    written = photos(plant(tmp_path / "parquet" / "set", {**IMAGES, "t.parquet": parquet(table)}))

    def facts(photo: Photo) -> tuple[object, ...]:
        return (*said([photo]), photo.split, photo.role, photo.group, photo.captured_at)

    assert [facts(photo) for photo in written] == [facts(photo) for photo in plain]


def test_paths_and_labels_are_enough(tmp_path: Path) -> None:
    found = photos(plant(tmp_path / "set", {**IMAGES, "t.tsv": "label\tpath\ttaken by\ntag\tin/a.jpg\tAnn"}))
    assert said(found) == [("in/a.jpg", "tag", None)]


def test_paths_start_at_the_table_or_at_the_top(tmp_path: Path) -> None:
    text = "path,label\n./a.jpg,near\n./in/b.jpg,far\nc.jpg,near\n"
    root = plant(tmp_path / "set", {**IMAGES, "in/lists/t.csv": text, "in/lists/a.jpg": jpeg(7), "c.jpg": jpeg(8)})
    assert said(photos(root, table="in/lists/t.csv")) == [
        ("c.jpg", "near", None),
        ("in/b.jpg", "far", None),
        ("in/lists/a.jpg", "near", None),
    ]


def test_paths_may_start_elsewhere(tmp_path: Path) -> None:
    files = {**IMAGES, "a.jpg": jpeg(9), "t.csv": "path,label\na.jpg,tag\n"}
    assert said(photos(pack(tmp_path / "a.zip", files, "set/"), images="in")) == [("set/in/a.jpg", "tag", None)]
    message = complaint(tmp_path, {"t.csv": "path,label\nin/a.jpg,tag\n"}, images="in")
    assert message.startswith("line 2 of t.csv names 'in/a.jpg', a file that")


@pytest.mark.parametrize("table", ["t.csv", "./t.csv", "set/t.csv"])
def test_the_table_may_be_named(tmp_path: Path, table: str) -> None:
    archive = pack(tmp_path / "a.zip", {**FILES, "u.csv": "path,label\n"}, "set/")
    assert len(photos(archive, table=table)) == 4


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    text = 'Datei;Sorte;x0;y0;x1;y1;label\nin/a.jpg;"Mu\u0308nze";1;2;3;4;no\nin/b.jpg;Tag;;;;;no\n'
    columns = {"path": "Datei", "label": "Sorte", "left": "x0", "top": "y0", "right": "x1", "bottom": "y1"}
    found = photos(plant(tmp_path / "set", {**IMAGES, "t.csv": text}), columns=columns)
    assert said(found) == [("in/a.jpg", "M\u00fcnze", (1, 2, 3, 4)), ("in/b.jpg", "Tag", None)]


@pytest.mark.parametrize(
    ("header", "columns", "message"),
    [
        ("path,Label", {}, "t.csv has no column 'label', but 'Label': set columns.label to one of path, Label."),
        ("file,label", {}, "t.csv has no column 'path': set columns.path to one of file, label."),
        ("path,label,spilt", {"split": "splitt"}, "has no column 'splitt', but 'spilt': set columns.split to"),
        ("path,label", {"group": "group"}, "has no column 'group': set columns.group"),
        ("path,label,box,left,top,right,bottom", {}, "has columns 'box' and 'left' for a box: drop one way"),
        ("path,label,left,top,bottom", {}, "has a column 'left' and none for right: name all four or none"),
    ],
)
def test_a_column_that_is_missing_is_named(tmp_path: Path, header: str, columns: dict[str, str], message: str) -> None:
    assert message in complaint(tmp_path, {"t.csv": header + "\n"}, columns=columns)


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"u.tsv": "path\tlabel\n"}, {}, "holds 2 tables (t.csv, u.tsv): name one in table"),
        ({"t.csv": None}, {}, "holds no .csv, .tsv or .parquet at its top: name one in table (it holds none)"),
        ({"t.csv": None, "in/t.csv": "x"}, {}, "at its top: name one in table (it holds in/t.csv)"),
        ({}, {"table": "u.csv"}, "holds no file 'u.csv': name one in table (it holds t.csv)"),
        ({}, {"table": "../set/t.csv"}, "holds no file '../set/t.csv'"),
        ({}, {"table": "/etc/passwd"}, "holds no file '/etc/passwd'"),
    ],
)
def test_a_table_that_is_missing_is_named(
    tmp_path: Path, changes: dict[str, bytes | str | None], settings: dict[str, str], message: str
) -> None:
    assert message in complaint(tmp_path, changes, **settings)


def test_images_that_are_not_listed(tmp_path: Path) -> None:
    root = plant(tmp_path / "set", FILES)
    assert len(photos(root)) == 4
    assert said(photos(root, unlisted="report")) == [*EXPECTED, ("in/d.jpg", None, None)]
    message = complaint(tmp_path, {"in/e.jpg": jpeg(9)}, unlisted="error")
    assert message.startswith("t.csv does not list in/d.jpg (2 images in all): add a line for each, or set unlisted")


def test_files_that_do_not_exist_are_counted(tmp_path: Path) -> None:
    message = complaint(tmp_path, {"t.csv": CSV + "in/x.jpg,tag,,,,,\n"})
    assert message.startswith("line 6 of t.csv names 'in/x.jpg', a file that ")
    assert message.endswith("does not hold: add it, or mend the path.")
    text = CSV + "in/x.jpg,tag,,,,,\nin/y.jpg,tag,,,,,\n" * 3
    assert "does not hold (nor those of 5 more lines): add it" in complaint(tmp_path, {"t.csv": text})


@pytest.mark.parametrize(
    "path", ["../set/in/a.jpg", "/etc/passwd", "C:\\e.jpg", "..\\set\\in\\a.jpg", "in/../in/a.jpg", "in", "a"]
)
def test_nothing_outside_the_tree_is_read(tmp_path: Path, path: str) -> None:
    plant(tmp_path, {"a": "secret"})
    message = complaint(tmp_path, {"t.csv": f"path,label\n{path},tag\n"})
    assert f"line 2 of t.csv names {path!r}, a file that" in message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["in/a.jpg,tag,", "in/b.jpg,tag,", "in/a.jpg,dent,"],
            "lines 2 and 4 of t.csv have one path, in/a.jpg: remove",
        ),
        (
            ["in/a.jpg,tag,", 'in/a.jpg,tag,"1,2,3,4"', "in/b.jpg,x,", '"./in/a.jpg",tag,"1.0,2,3,4"'],
            "lines 3 and 5 of t.csv have one path, in/a.jpg and one box, (1.0, 2.0, 3.0, 4.0): remove one",
        ),
    ],
)
def test_a_photo_listed_twice_is_named(tmp_path: Path, rows: list[str], message: str) -> None:
    assert message in complaint(tmp_path, {"t.csv": "\n".join(["path,label,box", *rows])})


@pytest.mark.parametrize(
    "settings",
    [{"columns": {"lable": "x"}}, {"columns": {"path": ""}}, {"unlisted": "warn"}, {"margin": -1}, {"names": None}],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TableConfig.model_validate({"path": "x", **settings})


def test_settings_survive_json(tmp_path: Path) -> None:
    config = TableConfig.model_validate({"path": str(plant(tmp_path / "set", FILES)), "columns": {"split": "split"}})
    again = TableConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert TableSource(again).fingerprint() == TableSource(config).fingerprint()
