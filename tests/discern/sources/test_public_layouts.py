"""The commonest public layouts load with nothing but their kind and their path."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.core.images import crop, decode
from tests.discern.sources.layouts import COLOURS, PARTS, listed, pack, plant, public_layouts

LAYOUTS = public_layouts()


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("place", ["folder", "archive"])
def test_every_thing_is_cut_out_under_its_name_and_in_its_split(tmp_path: Path, name: str, place: str) -> None:
    kind, files, names_splits = LAYOUTS[name]
    photos = listed(
        kind, plant(tmp_path / "set", files) if place == "folder" else pack(tmp_path / "set.zip", files, "top/")
    )
    assert [photo.fault for photo in photos] == [None] * 7
    assert sorted(photo.kind for photo in photos) == ["empty", *["instance"] * 6]
    for photo in photos:
        if photo.box is not None:
            pixels = crop(decode(photo.load()), photo.box)
            assert (pixels == COLOURS[("red", "blue").index(str(photo.label))]).all()
    splits = sorted(str(photo.split) for photo in photos)
    assert splits == (sorted([*PARTS.values()] * 2 + ["train"]) if names_splits else ["None"] * 7)


def test_folders_of_one_split_are_not_split(tmp_path: Path) -> None:
    kind, files, _ = LAYOUTS["VOC of Roboflow"]
    only = {path: content for path, content in files.items() if path.startswith("train/")}
    assert {photo.split for photo in listed(kind, plant(tmp_path / "set", only))} == {None}
