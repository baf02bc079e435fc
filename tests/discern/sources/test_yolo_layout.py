from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from discern.errors import DataError
from discern.sources.files.open import open_tree
from discern.sources.yolo.layout import YoloLayout, class_number, read_layout
from tests.discern.sources.layouts import pack, plant, sentence

Named = Mapping[str, str | bytes | None]

FILES: dict[str, str | bytes] = {
    "data.yaml": "train: train/images\nval: valid/images\nnc: 2\nnames: ['tag', 'no']\n",
    "train/images/a.jpg": "",
    "train/images/b.png": "",
    "valid/images/c.jpg": "",
    "train/labels/a.txt": "",
}
EXPECTED = YoloLayout(
    {0: "tag", 1: "no"},
    {
        "train/labels/a.txt": "train/images/a.jpg",
        "train/labels/b.txt": "train/images/b.png",
        "valid/labels/c.txt": "valid/images/c.jpg",
    },
    {"train/images/a.jpg": "train", "train/images/b.png": "train", "valid/images/c.jpg": "validation"},
)


def layout(root: Path, changes: Named, data: str | None = None) -> YoloLayout:
    files = {name: content for name, content in {**FILES, **changes}.items() if content is not None}
    return read_layout(open_tree(str(plant(root / "yolo", files))), data)


def yaml(text: str) -> dict[str, str]:
    return {"data.yaml": text}


def complaint(root: Path, changes: Named, data: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        layout(root, changes, data)
    return sentence(caught.value)


def test_a_folder_and_an_archive_hold_the_same(tmp_path: Path) -> None:
    assert layout(tmp_path, {}) == EXPECTED
    for top in ("", "set/"):
        found = read_layout(open_tree(str(pack(tmp_path / "a.zip", FILES, top))))
        assert list(found.labels) == [top + path for path in EXPECTED.labels]
        assert found.names == EXPECTED.names


@pytest.mark.parametrize(
    "text",
    [
        "train: ../train/images\nval: ../valid/images\nnames: {0: tag, 1: no}",  # as Roboflow exports it
        "train: ./train/images/\nvalid: [valid/images]\nnames:\n  1: no\n  0: tag\ntest:\n",
        "path: ../yolo\ntrain: train/images\ndev: valid/images\ntest: null\nnames: [tag, no]",
        "path: .\ntrain: train\nval: valid\nnames: [tag, no]",
        "path: /home/ann/sets/yolo\ntrain: train/images\nval: valid/images\nnames: [tag, no]\ndownload: https://x/y.zip",
    ],
)
def test_paths_are_written_in_many_ways(tmp_path: Path, text: str) -> None:
    assert layout(tmp_path, yaml(text)) == EXPECTED


def test_path_says_where_paths_start(tmp_path: Path) -> None:
    files = {f"in/{name}": content for name, content in FILES.items()}
    text = "path: ../in\ntrain: train/images\nval: valid/images\nnames: [tag, no]"
    tree = open_tree(str(plant(tmp_path / "yolo", {**files, "in/data.yaml": "", "conf/set.yaml": text})))
    assert list(read_layout(tree, "conf/set.yaml").labels) == [f"in/{path}" for path in EXPECTED.labels]


def test_images_may_be_listed_in_a_file(tmp_path: Path) -> None:
    changes = {
        **yaml("train: lists/train.txt\nval:\n- valid/images\nnames: [tag, no]"),
        "lists/train.txt": "\ufeff./more/images/d.jpg\ntrain/images/a.jpg\r\n\n",
        "lists/more/images/d.jpg": "",
    }
    assert layout(tmp_path, changes).splits == {
        "lists/more/images/d.jpg": "train",
        "train/images/a.jpg": "train",
        "valid/images/c.jpg": "validation",
    }
    message = complaint(tmp_path, {**changes, "lists/train.txt": "\n/train/images/a.jpg"})
    assert message.startswith("line 2 of lists/train.txt names '/train/images/a.jpg', which ")


def test_classes_may_be_listed_without_a_yaml(tmp_path: Path) -> None:
    files = {"images/a.jpg": "", "images/in/b.jpg": "", "labels/a.txt": "", "other/c.jpg": ""}
    for place in ("classes.txt", "labels/classes.txt"):
        tree = open_tree(str(plant(tmp_path / place, {**files, place: "tag\r\n no \n\n"})))
        found = read_layout(tree)
        assert found.names == {0: "tag", 1: "no"}
        assert found.labels == {"labels/a.txt": "images/a.jpg", "labels/in/b.txt": "images/in/b.jpg"}
        assert found.splits == {}


def test_labels_lie_beside_images_that_are_in_no_such_folder(tmp_path: Path) -> None:
    changes = {**yaml("train: photos\nnames: [tag]"), "photos/a.jpg": "", "photos/notes.txt": ""}
    assert layout(tmp_path, changes).labels == {"photos/a.txt": "photos/a.jpg"}


def test_the_last_folder_named_images_counts(tmp_path: Path) -> None:
    changes = {**yaml("train: images\nnames: [tag]"), "images/x/images/a.jpg": "", "images/xy.jpg": ""}
    assert layout(tmp_path, changes).labels == {
        "images/x/labels/a.txt": "images/x/images/a.jpg",
        "labels/xy.txt": "images/xy.jpg",
    }


def test_names_are_texts_whatever_yaml_makes_of_them(tmp_path: Path) -> None:
    text = "train: train\nnames: [no, 1_0, 007, 1e3, null, 2020-04-22, '', x]"
    assert "names[6] of data.yaml has a blank label" in complaint(tmp_path, yaml(text))
    found = layout(tmp_path, yaml(text.replace("'', ", ""))).names
    assert list(found.values()) == ["no", "1_0", "007", "1e3", "null", "2020-04-22", "x"]
    assert layout(tmp_path, yaml("train: train\nnames: {7: Mu\u0308nze}")).names == {7: "M\u00fcnze"}


def test_poses_have_points(tmp_path: Path) -> None:
    assert layout(tmp_path, yaml("train: train\nkpt_shape: [17, 3]\nnames: [tag]")).keypoints == 51
    message = complaint(tmp_path, yaml("train: train\nkpt_shape: [17, x]\nnames: [tag]"))
    assert message == "data.yaml has a kpt_shape that is not [points, numbers a point]: correct it."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.yaml": None}, "holds no data.yaml and no classes.txt: give the folder or .zip of a YOLO data set"),
        ({"old/data.yaml": ""}, "holds data.yaml and old/data.yaml: give the path of one data set"),
        ({"data.yaml": None, "classes.txt": "a", "b/classes.txt": "a"}, "holds b/classes.txt and classes.txt: give"),
        ({"data.yaml": None, "classes.txt": "a"}, "holds no images in images/, as classes.txt needs: put them there"),
        (
            {"data.yaml": None, "classes.txt": "a\n\nb", "images/a.jpg": ""},
            "line 2 of classes.txt has a blank label: give it a name",
        ),
        (yaml("train: [\n"), "data.yaml is no whole YAML file (while parsing"),
        (yaml("- a"), "data.yaml has no keys: give it names"),
        (yaml(""), "data.yaml has no keys"),
        (yaml("a: \0"), "data.yaml is no whole YAML file (unacceptable character"),
        (yaml("[" * 5000), "data.yaml is no whole YAML file (maximum recursion depth"),
        (yaml("names: [tag]"), "data.yaml names no images: give it the paths of train, val or test"),
        (yaml("train: train"), "data.yaml has no list of names: give each class its name"),
        (yaml("train: train\nnames: tag"), "data.yaml has no list of names"),
        (yaml("train: train\nnames: []"), "data.yaml has no list of names"),
        (yaml("train: train\nnames: {a: tag}"), "names of data.yaml has 'a' for 'tag': write a number and one name"),
        (yaml("train: train\nnames: {0: a, 00: b}"), "names of data.yaml has '00' for 'b'"),
        (yaml("train: train\nnames: [[a]]"), "names of data.yaml has '0' for 'a list': write a number and one name"),
        (yaml('train: train\nnames: ["a\\ab"]'), "names[0] of data.yaml has a label with"),
        (yaml("train: train\nnc: 3\nnames: [a, b]"), "data.yaml says nc: 3, and has 2 names: make them agree"),
        (yaml("train: {a: b}\nnames: [a]"), "train of data.yaml is no path: write the folder of its images"),
        (yaml("train: train\ntest: test\nnames: [a]"), "test of data.yaml is 'test', where"),
        (yaml("train: train/labels\nnames: [a]"), "train of data.yaml is 'train/labels', where"),
        (yaml("train: /etc\nnames: [a]"), "train of data.yaml is '/etc', where"),
        (yaml("train: ../../x\nnames: [a]"), "train of data.yaml is '../../x', where"),
        (yaml("train: train\nval: train/images\nnames: [a]"), "data.yaml has train/images/a.jpg both in train and in"),
        (
            {"train/images/a.png": ""},
            "train/images/a.jpg and train/images/a.png would share the labels train/labels/a.txt",
        ),
        ({"train/labels/x.txt": ""}, "train/labels/x.txt in "),
        ({"valid/labels/in/x.txt": ""}, "valid/labels/in/x.txt in "),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: Named, message: str) -> None:
    assert message in complaint(tmp_path, changes)


def test_labels_of_what_the_yaml_does_not_name_are_left_alone(tmp_path: Path) -> None:
    assert layout(tmp_path, {"test/labels/x.txt": "", "train/labels/classes.txt": ""}) == EXPECTED


def test_a_few_lines_that_stand_for_billions_are_not_written_out(tmp_path: Path) -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"] + [
        f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 12)
    ]
    for key in (
        "names: [*l11]",
        "path: *l11",
        "nc: *l11\nnames: [tag]",
        "kpt_shape: [*l11, *l11]\nnames: [tag]",
        "train: *l11",
    ):
        text = "\n".join([*lines, key, "" if key.startswith("train") else "train: train"])
        assert len(complaint(tmp_path, yaml(text))) < 200


@pytest.mark.parametrize("data", ["set.yaml", "../yolo/data.yaml", "/data.yaml"])
def test_a_yaml_that_does_not_exist_is_named(tmp_path: Path, data: str) -> None:
    assert f"holds no file {data!r}: set data to the path of its YAML" in complaint(tmp_path, {}, data)


def test_class_numbers() -> None:
    assert [class_number(text) for text in ("0", "007", "81")] == [0, 7, 81]
    assert [class_number(text) for text in ("", "-1", "1.0", "\u0663", "\u00b2", "1" * 10)] == [None] * 6
