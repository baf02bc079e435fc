from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from discern.errors import DataError
from discern.sources.files.open import open_tree
from discern.sources.yolo.layout import YoloLayout, read_layout
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
    foreign = "\n/content/set/train/images/a.jpg\nD:\\set\\train\\images\\B.PNG\n/content/set/x.jpg\n"
    found = layout(tmp_path, {**changes, "lists/train.txt": foreign})
    assert set(found.splits) == {"train/images/a.jpg", "train/images/b.png", "valid/images/c.jpg"}
    ((name, fault),) = found.faults
    assert name == "/content/set/x.jpg"
    assert fault.startswith("line 4 of lists/train.txt names '/content/set/x.jpg', which ")


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
        ({"data.yaml": None}, "holds no data.yaml, obj.data, obj.names or classes.txt: give the folder"),
        ({"data.yaml": None, "hyp.yaml": "lr: 1"}, "or classes.txt (hyp.yaml names no images): give the folder"),
        ({"obj.data": "names = x.names", "data.yaml": None}, "obj.data names the classes 'x.names', a file that"),
        ({"old/data.yaml": ""}, "holds data.yaml and old/data.yaml: give the path of one data set"),
        ({"data.yaml": None, "classes.txt": "a", "b/classes.txt": "b"}, "holds b/classes.txt and classes.txt, other"),
        ({"data.yaml": None, "b/classes.txt": "a"}, "holds no images in b/, as b/classes.txt needs: put them there"),
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
        (yaml("train: train/labels\nnames: [a]"), "train of data.yaml is 'train/labels', where"),
        (yaml("train: /etc\nnames: [a]"), "train of data.yaml is '/etc', where"),
        (yaml("train: ../../x\nnames: [a]"), "train of data.yaml is '../../x', where"),
        (yaml("train: train\nval: train/images\nnames: [a]"), "data.yaml has train/images/a.jpg both in train and in"),
        (
            {"train/images/a.png": ""},
            "train/images/a.jpg and train/images/a.png would share the labels train/labels/a.txt",
        ),
        (yaml("train: /etc\nnames: [a]"), "holds no images (an absolute path, of another machine): write the folder"),
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


def test_a_split_that_is_not_there_is_passed_over_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnames: [tag, no]"
    assert layout(tmp_path, yaml(text)) == EXPECTED
    assert "test of data.yaml is '../test/images', where" in caplog.text


@pytest.mark.parametrize("name", ["dataset.yaml", "conf/parts.yml"])
def test_a_yaml_of_another_name_is_found_among_others(tmp_path: Path, name: str) -> None:
    text = "path: /home/bob/parts\ntrain: train/images\nval: valid\\images\nnames: [tag, no]"
    changes = {"data.yaml": None, name: text, "hyp.yaml": "lr: 0.1", "bad.yaml": "["}
    assert layout(tmp_path, changes) == EXPECTED


def test_absolute_folders_of_another_machine_are_found_by_their_ends(tmp_path: Path) -> None:
    text = "train: /Users/bob/set/train/images\nval: C:\\set\\Valid\\Images\ntest: /x/test/images\nnames: [tag, no]"
    assert layout(tmp_path, yaml(text)) == EXPECTED


def test_labels_without_an_image_are_faults(tmp_path: Path) -> None:
    changes = {"train/labels/x.txt": "", "valid/labels/in/y.txt": "", "train/images/z.txt": "0 .1 .1 .1 .1\n"}
    assert [name for name, _ in layout(tmp_path, changes).faults] == [
        "train/images/z.txt",
        "train/labels/x.txt",
        "valid/labels/in/y.txt",
    ]


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        ("images/a.jpg", "labels/a.txt"),
        ("images/a.jpg", "images/a.txt"),
        ("Images/train/a.JPG", "Labels/train/a.TXT"),
        ("IMAGES/a.jpg", "LABELS/a.txt"),
        ("images/a.jpg", "Labels/A.txt"),
        ("images/d\u00e9cran 1.jpg", "labels/d%C3%A9cran%201.txt"),
        ("images/a.jpg", "labels/0b1c2d3e-a.txt"),
        ("photos/a.jpg", "photos/a.txt"),
        ("photos/a.jpg", "labels/a.txt"),
        ("a.jpg", "a.txt"),
    ],
)
def test_labels_lie_where_tools_put_them(tmp_path: Path, image: str, labels: str) -> None:
    files = {"classes.txt": "tag\n", image: "", labels: "0 .5 .5 1 1", "README.txt": "Exported\n"}
    for tree in (plant(tmp_path / "yolo", files), pack(tmp_path / "a.zip", files, "set/")):
        found = read_layout(open_tree(str(tree)))
        top = "set/" if tree.suffix else ""
        assert (found.labels, found.faults) == ({top + labels: top + image}, [])


def test_labels_of_an_uploaded_image_are_not_its_namesakes(tmp_path: Path) -> None:
    files = {
        "classes.txt": "tag",
        "images/0b1c2d3e-a.jpg": "",
        "images/4f5a6b7c-a.jpg": "",
        "labels/0b1c2d3e-a.txt": "",
    }
    found = read_layout(open_tree(str(plant(tmp_path / "yolo", files))))
    assert found.labels == {
        "labels/0b1c2d3e-a.txt": "images/0b1c2d3e-a.jpg",
        "labels/4f5a6b7c-a.txt": "images/4f5a6b7c-a.jpg",
    }


def test_labels_of_one_image_are_not_anothers(tmp_path: Path) -> None:
    files = {"classes.txt": "tag", "a/images/1.jpg": "", "b/images/1.jpg": "", "a/labels/1.txt": "0 .5 .5 1 1"}
    found = read_layout(open_tree(str(plant(tmp_path / "yolo", files))))
    assert found.labels == {"a/labels/1.txt": "a/images/1.jpg", "b/labels/1.txt": "b/images/1.jpg"}


@pytest.mark.parametrize("names", ["data/obj.names", "obj.names", "/home/bob/data/OBJ.names"])
def test_what_cvat_and_darknet_write(tmp_path: Path, names: str) -> None:
    files = {
        "obj.names": "tag\nno\n",
        "obj.data": f"classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = {names}\nbackup = backup/\n",
        "train.txt": "data/obj_train_data/a.jpg\n",
        "valid.txt": "data/obj_Validation_data/b.png\n",
        "obj_train_data/a.jpg": "",
        "obj_train_data/a.txt": "",
        "obj_Validation_data/b.png": "",
        "obj_Validation_data/b.txt": "",
    }
    assert read_layout(open_tree(str(plant(tmp_path / "yolo", files)))) == YoloLayout(
        {0: "tag", 1: "no"},
        {"obj_Validation_data/b.txt": "obj_Validation_data/b.png", "obj_train_data/a.txt": "obj_train_data/a.jpg"},
        {"obj_train_data/a.jpg": "train", "obj_Validation_data/b.png": "validation"},
    )


def test_folders_name_the_splits_of_a_set_without_a_yaml(tmp_path: Path) -> None:
    files = {
        "train/_darknet.labels": "tag",
        "valid/_darknet.labels": "tag",
        "train/a.jpg": "",
        "valid/a.jpg": "",
    }
    found = read_layout(open_tree(str(plant(tmp_path / "yolo", files))))
    assert found.splits == {"train/a.jpg": "train", "valid/a.jpg": "validation"}
    assert found.labels == {"train/a.txt": "train/a.jpg", "valid/a.txt": "valid/a.jpg"}
