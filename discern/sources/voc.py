"""Pascal VOC: a folder `Annotations` of one XML file an image, beside the images in `JPEGImages`.

Rules kept:
- every image gives a photo: one for each of its objects, or one without a label where it has no objects or no XML;
- boxes are taken as they are written; whether they fit their picture is known once it is decoded, not here;
- an XML file is small and declares no entities; what it names is looked up among the files there are, and nowhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

from defusedxml.ElementTree import ParseError, fromstring  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.map_ahead import map_ahead
from discern.sources.base import Split
from discern.sources.entries import Entry, ListedSource, in_order, with_names
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import NamesConfig, clean_label
from discern.sources.parsing import number, read_text, read_whole
from discern.sources.paths import Finder, folder_of, images_below, is_image, roots, stem

# The lists in ImageSets/Main; what `trainval` alone holds trains.
LISTS: tuple[tuple[str, Split], ...] = (
    ("train", "train"),
    ("val", "validation"),
    ("test", "test"),
    ("trainval", "train"),
)
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class VocConfig(BaseModel):
    """A data set in the layout of Pascal VOC.

    Args:
        path: the folder or .zip that holds `Annotations` and `JPEGImages`, at any depth.
        margin: what is shown around a box, as a share of its width and height.
        one_based: coordinates count from 1, as the original VOC's do; labelling tools count from 0.
        splits: follow `ImageSets/Main/{train,val,test,trainval}.txt` where there are such.
        difficult: keep objects marked difficult; an image that has no others then gives nothing.
        names: what the photos' paths say of their group and time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["voc"] = "voc"
    path: str = Field(min_length=1)
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    one_based: bool = False
    splits: bool = True
    difficult: bool = True
    names: NamesConfig | None = None


class VocSource(ListedSource):
    """Things in the photos of a VOC data set, by image, box and label.

    Raises:
        DataError: there is not one `Annotations`, an XML file is damaged or lacks something, or an image is missing.
    """

    def __init__(self, config: VocConfig) -> None:
        tree = open_tree(config.path)
        entries = with_names(_Reader(tree, config).entries(), config.names)
        super().__init__(tree.name, tree, config, in_order(entries), config.margin)


class _Reader:
    def __init__(self, tree: Tree, config: VocConfig) -> None:
        self.tree = tree
        self.config = config
        self.root, self.annotations = _annotations(tree)
        self.folder = f"{self.root}JPEGImages/"
        self.images = images_below(tree, self.folder)
        if not self.images:
            raise DataError(f"{tree.place} holds no images in {self.folder}: put them there, beside Annotations.")
        self.finder = Finder(self.images)
        self.by_stem: dict[str, list[str]] = defaultdict(list)
        for image in self.images:
            self.by_stem[stem(image).removeprefix(self.folder)].append(image)

    def entries(self) -> Iterator[Entry]:
        described: dict[str, str] = {}  # image: its annotation
        things: dict[str, list[Entry]] = {}  # of each image that has objects
        for path, data in map_ahead(partial(read_whole, self.tree), self.annotations):
            root = _parse(path, data)
            image = self._image(path, (root.findtext("filename") or "").strip())
            if image in described:
                raise DataError(f"{described[image]} and {path} both describe {image}: remove one of them.")
            described[image] = path
            if objects := root.findall("object"):
                found = (self._thing(image, x, f"object {place} of {path}") for place, x in enumerate(objects, start=1))
                things[image] = [thing for thing in found if thing]
        splits = self._splits(described) if self.config.splits else {}
        for image in self.images:
            for thing in things.get(image, [Entry(image, None)]):
                yield thing._replace(split=splits.get(image))

    def _image(self, path: str, filename: str) -> str:
        """The image that an annotation describes: the one it names, else the one named like it."""
        named = filename or stem(path)[len(folder_of(path)) :]
        found = self.finder.exact(named, self.folder)
        if found:
            return found
        candidates = [] if filename and is_image(filename) else self.by_stem.get(named, [])
        if not candidates:
            raise DataError(
                f"{path} describes the image {named!r}, which is not in {self.folder}: add the image, or remove the "
                "annotation."
            )
        return _only(candidates, path)

    def _thing(self, image: str, element: Any, where: str) -> Entry | None:
        """What one <object> shows, or None where it is difficult and such are left out."""
        name = element.findtext("name")
        if name is None:
            raise DataError(f"{where} has no <name>: add it, or remove the object.")
        label = clean_label(name, where)
        left, top, right, bottom = (_corner(element.findtext(f"bndbox/{key}"), key, where) for key in CORNERS)
        if (element.findtext("difficult") or "").strip() == "1" and not self.config.difficult:
            return None
        first = 1.0 if self.config.one_based else 0.0
        return Entry(image, label, (left - first, top - first, right, bottom))

    def _splits(self, described: dict[str, str]) -> dict[str, Split]:
        """The images' splits by the official lists, whose lines are names of annotations without their extension."""
        named = {stem(path)[len(folder_of(path)) :]: image for image, path in described.items()}
        splits: dict[str, Split] = {}
        for name, split in LISTS:
            path = f"{self.root}ImageSets/Main/{name}.txt"
            if path not in self.tree.files:
                continue
            for line, text in enumerate(read_text(self.tree, path).splitlines(), start=1):
                if not text.strip():
                    continue
                where = f"line {line} of {path}"
                image = named.get(text.strip()) or self._listed(text.strip(), where)
                before = splits.setdefault(image, split)
                if before != split and (name, before) != ("trainval", "validation"):
                    raise DataError(f"{where} puts {image} into {split}, and another list into {before}: choose one.")
        return splits

    def _listed(self, name: str, where: str) -> str:
        candidates = self.by_stem.get(name, [])
        if not candidates:
            raise DataError(f"{where} names {name!r}, which has no image in {self.folder}: add it, or remove the line.")
        return _only(candidates, where)


def _annotations(tree: Tree) -> tuple[str, list[str]]:
    """What lies before `Annotations/`, and the XML files in it."""
    files = [path for path in tree.files if path.lower().endswith(".xml")]
    found = roots(files, "Annotations")
    if not found:
        raise DataError(f"{tree.place} holds no Annotations/*.xml: give the folder or .zip of a VOC data set.")
    if len(found) > 1:
        raise DataError(
            f"{tree.place} holds {len(found)} folders named Annotations, in {found[0] or './'} and in {found[1]}: give "
            "the path of one data set."
        )
    annotations = [path for path in files if path.startswith(f"{found[0]}Annotations/")]
    deeper = next((path for path in annotations if folder_of(path) != f"{found[0]}Annotations/"), None)
    if deeper:
        raise DataError(f"{deeper} in {tree.place} lies deeper than Annotations itself: move it up.")
    return found[0], annotations


def _parse(path: str, data: bytes) -> Any:
    try:
        root = fromstring(data)
    except ParseError as error:
        raise DataError(f"{path} is no whole XML file ({error}): export it again, or remove it.") from None
    except (ValueError, LookupError) as error:  # entities, which defusedxml refuses; encodings that do not exist
        raise DataError(f"{path} is not XML that is read here ({error}): export it again as UTF-8.") from None
    if root.tag != "annotation":
        raise DataError(f"{path} holds <{root.tag}> and not a VOC <annotation>: remove it from Annotations.")
    return root


def _corner(text: str | None, key: str, where: str) -> float:
    if text is None:
        raise DataError(f"{where} has no <{key}> in its <bndbox>: add it, or remove the object.")
    return number(text, f"<{key}> of {where}")


def _only(candidates: list[str], where: str) -> str:
    if len(candidates) > 1:
        raise DataError(f"{where} can mean {candidates[0]} and {candidates[1]}: give one of them another name.")
    return candidates[0]
