"""The classes, and perhaps the splits, that the folders around photos name.

Rules kept:
- the folder below the top is the class, and what lies deeper belongs to it;
- folders above the class that name nothing (`images`, `dataset`, the one folder that an archive was packed in) are
  passed over, where there is one of them;
- folders named train, valid, test and the like are splits, above the classes or inside each of them, and never classes;
- where it is not plain which they are, they are refused with the setting that decides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from discern.sources.base import Split
from discern.sources.names import split_named

_WRAPPERS = "images image img imgs photos pictures pics data dataset datasets jpegimages raw"
WRAPPERS = frozenset(_WRAPPERS.split())
_EXTRA = WRAPPERS | {"set", "split", "folder"}  # words beside a split's name: test_set, train_images
_MORE_SPLITS: dict[str, Split] = {"training": "train", "testing": "test"}


class Place(NamedTuple):
    """What the folders of a photo say.

    Args:
        path: of the photo.
        label: its class; None for a photo that lies in a split beside the classes, as of a contest's test set.
        split: its split, or None.
    """

    path: str
    label: str | None
    split: Split | None = None


def split_of_folder(name: str) -> Split | None:
    """Return the split that a folder's name says: Train, val2017, test_set, training-images."""
    name = re.sub(r"(19|20)\d\d$", "", name.lower())  # a year, but no number: train-1 may be a locomotive
    words = [word for word in re.split(r"[\s_.-]+", name) if word and word not in _EXTRA]
    if len(words) != 1:
        return None
    return _MORE_SPLITS.get(words[0]) or split_named(words[0])


def places(images: Sequence[str], *, is_archive: bool, split_folders: bool = True) -> list[Place]:
    """Return what the folders of each photo say; photos beside the class folders are left out.

    Args:
        images: paths of the photos.
        is_archive: one folder around all of them is the archive's, whatever its name.
        split_folders: False where folders with the names of splits are classes.
    """
    start = len(top_of(images, is_archive=is_archive, split_folders=split_folders))
    parts = {path: names for path in images if len(names := path[start:].split("/")) > 1}
    if split_folders and _are_splits(parts.values()):
        return [_in_split(path, names) for path, names in parts.items()]
    if split_folders and _have_splits_inside(parts.values()):
        return [Place(path, names[0], split_of_folder(names[1])) for path, names in parts.items()]
    return [Place(path, names[0]) for path, names in parts.items()]


def top_of(images: Sequence[str], *, is_archive: bool, split_folders: bool = True) -> str:
    """Return the folders above the classes or the splits, with a slash, or nothing."""
    top = ""
    while True:
        names = {path[len(top) :].partition("/")[0] for path in images}
        if len(names) != 1 or any(path.count("/", len(top)) < 2 for path in images):
            return top
        (name,) = names
        # One split alone splits nothing.
        if not (name.lower() in WRAPPERS or (is_archive and not top) or (split_folders and split_of_folder(name))):
            return top
        top += f"{name}/"


def problems(
    images: Sequence[str], files: Iterable[str], location: str, *, is_archive: bool, split_folders: bool = True
) -> list[str]:
    """Return a sentence for each thing that keeps some files from being folders of classes.

    Args:
        images: paths of the photos.
        files: all paths.
        location: what the sentences call their place.
        is_archive: as for `places`.
        split_folders: likewise.
    """
    top = top_of(images, is_archive=is_archive, split_folders=split_folders)
    if split_folders and (doubts := _doubtful_splits(images, top, location)):
        return doubts
    files = list(files)
    found = places(images, is_archive=is_archive, split_folders=split_folders)
    counts = Counter(place.label for place in found if place.label is not None)
    placed = {place.path for place in found}
    return [
        *_loose_photos([path for path in images if path not in placed], location),
        *_empty_folders(files, images, top, location),
        *_one_class_of_folders(found, location),
        *_few_photos(counts, location),
    ]


def _are_splits(parts: Collection[Sequence[str]]) -> bool:
    """Return True where the first folders are splits with class folders inside, of some of them at least."""
    return all(split_of_folder(names[0]) for names in parts) and any(len(names) > 2 for names in parts)


def _have_splits_inside(parts: Collection[Sequence[str]]) -> bool:
    return all(len(names) > 2 and split_of_folder(names[1]) for names in parts)


def _in_split(path: str, names: Sequence[str]) -> Place:
    split = split_of_folder(names[0])
    inner = names[2:] if len(names) > 3 and names[1].lower() in WRAPPERS else names[1:]
    return Place(path, inner[0], split) if len(inner) > 1 else Place(path, None)


def _doubtful_splits(images: Sequence[str], top: str, location: str) -> list[str]:
    """Say where folders named like splits may be classes: beside other folders, or with photos and no class inside."""
    parts = [names for path in images if len(names := path[len(top) :].split("/")) > 1]
    splits = sorted({names[0] for names in parts if split_of_folder(names[0])})
    others = sorted({names[0] for names in parts}.difference(splits))
    if splits and others:
        return [
            f"{location} holds {_listed(splits)}, named like a split, beside {_listed(others)}: move the one or the "
            "other away, or set split_folders to false where all are classes."
        ]
    if splits and not _are_splits(parts):
        return [
            f"{location} holds {_listed(splits)}, named like a split, and no class folders inside: put a folder for "
            "each class into each, or set split_folders to false where they are classes."
        ]
    return []


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"the folder{'s' if len(names) > 1 else ''} {', '.join(names[:3])}{more}"


def _loose_photos(paths: Sequence[str], location: str) -> Iterator[str]:
    if paths:
        such = f" ({len(paths)} such)" if len(paths) > 1 else ""
        yield f"{paths[0]} in {location} lies beside the class folders{such}: move it into the folder of its class."


def _empty_folders(files: Iterable[str], images: Iterable[str], top: str, location: str) -> Iterator[str]:
    filled = _folders(images, top)
    for folder in sorted(_folders(files, top) - filled):
        yield f"the class folder {folder} in {location} holds no images: add photos of it, or remove it."


def _folders(paths: Iterable[str], top: str) -> set[str]:
    inside = (path[len(top) :] for path in paths if path.startswith(top))
    return {path.partition("/")[0] for path in inside if "/" in path}


def _one_class_of_folders(found: Sequence[Place], location: str) -> Iterator[str]:
    """Say where the only class seems to be a folder of class folders."""
    labels = {place.label for place in found if place.label is not None}
    if len(labels) != 1:
        return
    (label,) = labels
    inside = (f"/{place.path}".partition(f"/{label}/")[2].split("/") for place in found)
    folders = sorted({names[0] for names in inside if len(names) > 1 and not split_of_folder(names[0])})
    if len(folders) > 1:
        yield (
            f"{location} holds one class ({label}), with {_listed(folders)} inside: give the path of {label} where "
            "those are the classes, or move their photos into it where it is one class."
        )


def _few_photos(counts: Counter[str], location: str) -> Iterator[str]:
    for label, count in sorted(counts.items()):
        if count < 2:
            yield (
                f"class {label} in {location} has one image, and one to enrol and one to ask are needed: add photos of "
                "it, or remove it."
            )
