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
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discern.errors import DataError
from discern.sources.base import Role, Split
from discern.sources.entries import Entry, ListedSource
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label
from discern.sources.parsing import read_text, text_lines
from discern.stable_random import stable_sort_key

LISTS = ("train", "val", "test")
HELD_OUT_SPLITS: tuple[Split, ...] = ("test", "validation")


class GroceryConfig(BaseModel):
    """The Grocery Store Dataset (Klasson, Zhang and Kjellström, WACV 2019), by its official split or with
    classes held out.

    Args:
        path: the folder or the archive that holds `classes.csv`, at any depth.
        heldout_classes: classes that never train; 0 is the official closed set.
        unknowns: how many of them are never enrolled.
        catalogue: enrol the others by their catalogue picture.
        shots: enrol the others by so many of their photos.
        seed: which classes and photos are drawn.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["grocery"] = "grocery"
    path: str = Field(min_length=1)
    heldout_classes: int = Field(default=0, ge=0)
    unknowns: int = Field(default=0, ge=0)
    catalogue: bool = True
    shots: int = Field(default=0, ge=0)
    seed: int = 0
    encoding: str | None = Field(default=None, min_length=1)

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
    return {product.label: product.coarse for product in _Reader(open_tree(path)).products().values()}


@dataclass(frozen=True)
class _Product:
    """One class of the data set."""

    label: str
    coarse: str
    iconic: str


class GrocerySource(ListedSource):
    """Photos of the Grocery Store Dataset, in the order of its lists.

    Raises:
        DataError: a list is missing, or names a photo or a class that does not exist.
    """

    def __init__(self, config: GroceryConfig) -> None:
        tree = open_tree(config.path, config.encoding)
        reader = _Reader(tree)
        products = reader.products()
        lists = {name: reader.photos(name, products) for name in LISTS}
        entries = _few_shot(config, list(products.values()), lists) if config.heldout_classes else _closed_set(lists)
        super().__init__("grocery", tree, config, list(entries))


class _Reader:
    """Reads the data set's own lists."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.files = frozenset(tree.files)
        tables = [path for path in tree.files if path.rpartition("/")[2] == "classes.csv"]
        if not tables:
            raise DataError(
                f"{tree.location} holds no classes.csv: give the folder or .zip of the Grocery Store Dataset."
            )
        self.root = min(tables, key=len).removesuffix("classes.csv")

    def products(self) -> dict[str, _Product]:
        """Return the classes by their id."""
        rows = csv.reader(io.StringIO(read_text(self.tree, self._existing("classes.csv", self.tree.location))))
        next(rows, None)
        products = {}
        for line, row in enumerate(rows, start=2):
            where = f"line {line} of {self.root}classes.csv"
            if len(row) < 5:
                raise DataError(f"{where} has {len(row)} of 5 columns: restore the file.")
            name, number, coarse, _, iconic = (cell.strip() for cell in row[:5])
            products[number] = _Product(clean_label(name, where), coarse, self._existing(iconic.lstrip("/"), where))
        return products

    def photos(self, name: str, products: Mapping[str, _Product]) -> dict[str, list[str]]:
        """Return the paths in one of the lists, by class."""
        photos: dict[str, list[str]] = {product.label: [] for product in products.values()}
        for where, text in text_lines(self.tree, self._existing(f"{name}.txt", self.tree.location)):
            cells = [cell.strip() for cell in text.split(",")]
            if len(cells) != 3 or cells[1] not in products:
                raise DataError(f"{where} is not `path, class id, coarse id` of a known class: restore the file.")
            photos[products[cells[1]].label].append(self._existing(cells[0], where))
        return photos

    def _existing(self, path: str, where: str) -> str:
        if self.root + path not in self.files:
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
            yield from _entries(paths, label, split, role)


def _few_shot(config: GroceryConfig, products: Sequence[_Product], lists: _Lists) -> Iterator[Entry]:
    train, test = lists["train"], lists["test"]
    heldout = _held_out(config, products)
    for product in products:
        if product not in heldout:
            yield from _entries(train[product.label], product.label, "train", "gallery")
            yield from _entries(test[product.label], product.label, "test", "query")
    enrolled = len(heldout) - config.unknowns
    for number, product in enumerate(heldout):
        split = HELD_OUT_SPLITS[number % 2]
        if number < enrolled:
            yield from _entries(_gallery(config, product, train), product.label, split, "gallery")
        yield from _entries(test[product.label], product.label, split, "query")


def _entries(paths: Iterable[str], label: str, split: Split, role: Role) -> Iterator[Entry]:
    for path in paths:
        yield Entry(path, label, split=split, role=role)


def _held_out(config: GroceryConfig, products: Sequence[_Product]) -> list[_Product]:
    """Draw the held-out classes: one of every coarse class, then a second of each that has one, and so on."""
    if config.heldout_classes > len(products) - 2:
        raise DataError(
            f"heldout_classes is {config.heldout_classes} of {len(products)} classes, and two must remain to train: "
            "lower it."
        )
    drawn = sorted(products, key=lambda product: stable_sort_key(config.seed, product.label))
    turns: Counter[str] = Counter()  # of each coarse class
    turn_of: dict[_Product, int] = {}
    for product in drawn:
        turn_of[product] = turns[product.coarse]
        turns[product.coarse] += 1
    return sorted(drawn, key=turn_of.__getitem__)[: config.heldout_classes]


def _gallery(config: GroceryConfig, product: _Product, train: Mapping[str, list[str]]) -> list[str]:
    photos = train[product.label]
    if config.shots > len(photos):
        raise DataError(f"class {product.label} has {len(photos)} photos in train.txt: set shots to that or lower.")
    drawn = sorted(photos, key=lambda path: stable_sort_key(config.seed, path))[: config.shots]
    return [product.iconic, *drawn] if config.catalogue else drawn
