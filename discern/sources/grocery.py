"""The Grocery Store Dataset (Klasson, Zhang, Kjellström, WACV 2019): smartphone photos of groceries in a shop.

Its lists say `path, fine id, coarse id`; `classes.csv` names the ids and gives one catalogue ("iconic") picture a
class. Labels are the fine classes. Two protocols:

closed set (`heldout_classes: 0`), the official one: all classes train.
    train.txt -> train/gallery, val.txt -> validation/query, test.txt -> test/query.

few-shot (`heldout_classes: N`): N classes never train; they are drawn by `seed`, spread over the coarse classes, and go
to validation and test by turns. `unknowns` of them are never enrolled. Each of the others is enrolled by its catalogue
picture (`catalogue`), by `shots` photos drawn from its train.txt, or by both. All their test.txt photos are queries.
    remaining classes: train.txt -> train/gallery, test.txt -> test/query (known classes; val.txt is not used);
    held-out classes: gallery and queries in validation or in test.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discern.errors import DataError
from discern.sources.base import Role, Split
from discern.sources.entries import Entry, ListedSource, draw
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label
from discern.sources.parsing import read_text

LISTS = ("train", "val", "test")
HELD_OUT_SPLITS: tuple[Split, ...] = ("test", "validation")


class GroceryConfig(BaseModel):
    """The folder or .zip of the data set, and the protocol; see this module's text.

    Args:
        path: the folder or the archive that holds `classes.csv`, at any depth.
        heldout_classes: classes that never train; 0 is the official closed set.
        unknowns: how many of them are never enrolled.
        catalogue: enrol the others by their catalogue picture.
        shots: enrol the others by so many of their photos.
        seed: which classes and photos are drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["grocery"] = "grocery"
    path: str = Field(min_length=1)
    heldout_classes: int = Field(default=0, ge=0)
    unknowns: int = Field(default=0, ge=0)
    catalogue: bool = True
    shots: int = Field(default=0, ge=0)
    seed: int = 0

    @model_validator(mode="after")
    def _make_sense(self) -> GroceryConfig:
        if self.unknowns and self.unknowns >= self.heldout_classes:
            raise ValueError("unknowns are some of the heldout_classes: set fewer unknowns or more heldout_classes")
        if self.heldout_classes == 1:
            raise ValueError("heldout_classes serve validation and test both: set 0, or at least 2")
        if self.heldout_classes and not self.catalogue and not self.shots:
            raise ValueError("nothing would enrol the held-out classes: set catalogue to true, or shots to 1 or more")
        return self


def coarse_classes(path: str) -> dict[str, str]:
    """The coarse class, by its number, of every fine class of the data set at `path`.

    Raises:
        DataError: as `GrocerySource`.
    """
    return {one.label: one.coarse for one in _Reader(open_tree(path)).classes().values()}


@dataclass(frozen=True)
class _Class:
    label: str
    coarse: str
    iconic: str


class GrocerySource(ListedSource):
    """Photos of the Grocery Store Dataset, in the order of its lists.

    Raises:
        DataError: a list is missing, or names a photo or a class that does not exist.
    """

    def __init__(self, config: GroceryConfig) -> None:
        tree = open_tree(config.path)
        reader = _Reader(tree)
        classes = reader.classes()
        lists = {name: reader.photos(name, classes) for name in LISTS}
        entries = _few_shot(config, classes, lists) if config.heldout_classes else _closed_set(lists)
        super().__init__("grocery", tree, config, list(entries))


class _Reader:
    """Reads the data set's own lists."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.known = frozenset(tree.files)
        found = sorted((path for path in tree.files if path.rpartition("/")[2] == "classes.csv"), key=len)
        if not found:
            raise DataError(f"{tree.place} holds no classes.csv: give the folder or .zip of the Grocery Store Dataset.")
        self.root = found[0].removesuffix("classes.csv")

    def classes(self) -> dict[str, _Class]:
        """Classes by their id."""
        rows = csv.reader(io.StringIO(self._text("classes.csv")))
        next(rows, None)
        classes = {}
        for line, row in enumerate(rows, start=2):
            if len(row) < 5:
                raise DataError(f"line {line} of {self.root}classes.csv has {len(row)} of 5 columns: restore the file.")
            where = f"line {line} of {self.root}classes.csv"
            iconic = self._existing(row[4].strip().lstrip("/"), where)
            classes[row[1].strip()] = _Class(clean_label(row[0].strip(), where), row[2].strip(), iconic)
        return classes

    def photos(self, name: str, classes: dict[str, _Class]) -> dict[str, list[str]]:
        """Paths by class, as one of the lists has them."""
        photos: dict[str, list[str]] = {one.label: [] for one in classes.values()}
        for line, text in enumerate(self._text(f"{name}.txt").splitlines(), start=1):
            if not text.strip():
                continue
            where = f"line {line} of {self.root}{name}.txt"
            parts = [part.strip() for part in text.split(",")]
            if len(parts) != 3 or parts[1] not in classes:
                raise DataError(f"{where} is not `path, class id, coarse id` of a known class: restore the file.")
            photos[classes[parts[1]].label].append(self._existing(parts[0], where))
        return photos

    def _text(self, name: str) -> str:
        return read_text(self.tree, self._existing(name, self.tree.place))

    def _existing(self, path: str, where: str) -> str:
        if self.root + path not in self.known:
            raise DataError(f"{self.root}{path}, which {where} needs, is missing: restore the data set.")
        return self.root + path


_Lists = dict[str, dict[str, list[str]]]


def _closed_set(lists: _Lists) -> Iterator[Entry]:
    splits: tuple[tuple[str, Split, Role], ...] = (
        ("train", "train", "gallery"),
        ("val", "validation", "query"),
        ("test", "test", "query"),
    )
    for name, split, role in splits:
        for label, paths in lists[name].items():
            yield from (Entry(path, label, split=split, role=role) for path in paths)


def _few_shot(config: GroceryConfig, classes: dict[str, _Class], lists: _Lists) -> Iterator[Entry]:
    heldout = _held_out(config, list(classes.values()))
    enrolled = len(heldout) - config.unknowns
    for one in classes.values():
        if one not in heldout:
            yield from (Entry(path, one.label, split="train", role="gallery") for path in lists["train"][one.label])
            yield from (Entry(path, one.label, split="test", role="query") for path in lists["test"][one.label])
    for number, one in enumerate(heldout):
        split = HELD_OUT_SPLITS[number % 2]
        if number < enrolled:
            yield from (
                Entry(path, one.label, split=split, role="gallery") for path in _gallery(config, one, lists["train"])
            )
        yield from (Entry(path, one.label, split=split, role="query") for path in lists["test"][one.label])


def _held_out(config: GroceryConfig, classes: list[_Class]) -> list[_Class]:
    """One class of every coarse class, then a second of each that has one, and so on, in drawn order."""
    if config.heldout_classes > len(classes) - 2:
        raise DataError(
            f"heldout_classes is {config.heldout_classes} of {len(classes)} classes, and two must remain to train: "
            "lower it."
        )
    siblings: dict[str, list[_Class]] = defaultdict(list)
    for one in sorted(classes, key=lambda one: draw(config.seed, one.label)):
        siblings[one.coarse].append(one)
    turns = {one: turn for members in siblings.values() for turn, one in enumerate(members)}
    return sorted(classes, key=lambda one: (turns[one], draw(config.seed, one.label)))[: config.heldout_classes]


def _gallery(config: GroceryConfig, one: _Class, train: dict[str, list[str]]) -> list[str]:
    if config.shots > len(train[one.label]):
        raise DataError(
            f"class {one.label} has {len(train[one.label])} photos in train.txt: set shots to that or lower."
        )
    drawn = sorted(train[one.label], key=lambda path: draw(config.seed, path))[: config.shots]
    return ([one.iconic] if config.catalogue else []) + drawn
