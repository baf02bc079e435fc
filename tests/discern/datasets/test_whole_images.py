"""Rows gathered by picture."""

from __future__ import annotations

import time

from discern.datasets.whole_images import ImageInstance
from tests.discern.datasets.manifests import SIDE, Thing, empty, unlabelled, version

LEFT, RIGHT = (0.0, 0.0, 20.0, 20.0), (50.0, 50.0, 80.0, 80.0)


def test_each_picture_is_there_once_with_all_its_instances() -> None:
    subject = version(
        Thing("scene", "nut", box=LEFT, margin=0.1), Thing("b", "nut"), empty("belt"), Thing("scene", "bolt", box=RIGHT)
    )
    scene, single, belt = subject.images()
    assert scene.instances == (
        ImageInstance(0, "nut", LEFT, 0.1, "train"),
        ImageInstance(2, "bolt", RIGHT, 0.0, "train"),
    )
    assert single.instances == (ImageInstance(1, "nut", None, 0.0, "train"),)
    assert belt.instances == ()
    assert [image.number for image in (scene, single, belt)] == [0, 1, 2]
    assert {image.size for image in subject.images()} == {(SIDE, SIDE)}


def test_a_picture_with_a_held_out_instance_is_held_out() -> None:
    subject = version(
        Thing("scene", "nut", box=LEFT),
        Thing("scene", "bolt", box=RIGHT, split="test", role="query"),
        Thing("b", "nut"),
        Thing("c", "cog", split="validation"),
        Thing("c", "nut", box=LEFT),
    )
    assert [len(image.instances) for image in subject.images("test")] == [2]
    assert [instance.split for instance in subject.images("test")[0].instances] == ["train", "test"]
    assert [image.number for image in subject.images("train")] == [1]
    assert [image.number for image in subject.images("validation")] == [2]


def test_unlabelled_images_are_no_negatives() -> None:
    subject = version(Thing("a", "nut"), unlabelled("b"), empty("c", split="test"))
    assert [image.instances == () for image in subject.images()] == [False, True]
    assert [image.number for image in subject.images("test")] == [1]


def test_a_hundred_thousand_rows_take_a_moment() -> None:
    subject = version(*(Thing(str(number // 4), "nut", box=(float(number % 4), 0, 9, 9)) for number in range(100_000)))
    start = time.process_time()
    assert len(subject.images()) == 25_000
    assert time.process_time() - start < 5
