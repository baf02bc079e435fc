"""Pascal VOC: a folder `Annotations` of one XML file an image, beside the images in `JPEGImages`.

Rules kept:
- every image gives a photo: one for each of its objects, or one without a label where it has no objects or no XML;
- boxes are taken as they are written; whether they fit their picture is known once it is decoded, not here;
- an XML file is small and declares no entities; what it names is looked up among the files there are, and nowhere else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
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
from discern.sources.parsing import number, read_whole, text_lines
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
    """Objects in the photos of a VOC data set, by image, box and label.

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
            raise DataError(f"{tree.location} holds no images in {self.folder}: put them there, beside Annotations.")
        self.finder = Finder(self.images)
        self.by_stem: dict[str, list[str]] = defaultdict(list)
        for image in self.images:
            self.by_stem[stem(image).removeprefix(self.folder)].append(image)

    def entries(self) -> Iterator[Entry]:
        """Yield the objects of every image, or the image alone where it has none."""
        annotation_of: dict[str, str] = {}  # by image
        entries_of: dict[str, list[Entry]] = {}  # by image
        for path, data in map_ahead(partial(read_whole, self.tree), self.annotations):
            annotation = _parse(path, data)
            image = self._image(path, (annotation.findtext("filename") or "").strip())
            if image in annotation_of:
                raise DataError(f"{annotation_of[image]} and {path} both describe {image}: remove one of them.")
            annotation_of[image] = path
            entries_of[image] = self._objects(path, image, annotation)
        splits = self._splits(annotation_of) if self.config.splits else {}
        for image in self.images:
            for entry in entries_of.get(image, [Entry(image, None)]):
                yield entry._replace(split=splits.get(image))

    def _objects(self, path: str, image: str, annotation: Any) -> list[Entry]:
        """Return the objects that an annotation describes, or the image alone where it describes none."""
        elements = annotation.findall("object")
        if not elements:
            return [Entry(image, None)]
        objects = []
        for number_of_object, element in enumerate(elements, start=1):
            entry = self._object(image, element, f"object {number_of_object} of {path}")
            if self.config.difficult or not _is_difficult(element):
                objects.append(entry)
        return objects

    def _image(self, path: str, filename: str) -> str:
        """Return the image that an annotation describes: the one it names, else the one named like it."""
        name = filename or _base_stem(path)
        image = self.finder.exact(name, self.folder)
        if image:
            return image
        # The name of an image means that image alone; a bare name means any image of that name.
        candidates = [] if filename and is_image(filename) else self.by_stem.get(name, [])
        if not candidates:
            raise DataError(
                f"{path} describes the image {name!r}, which is not in {self.folder}: add the image, or remove the "
                "annotation."
            )
        return _only(candidates, path)

    def _object(self, image: str, element: Any, where: str) -> Entry:
        name = element.findtext("name")
        if name is None:
            raise DataError(f"{where} has no <name>: add it, or remove the object.")
        label = clean_label(name, where)
        left, top, right, bottom = (_corner(element.findtext(f"bndbox/{key}"), key, where) for key in CORNERS)
        first = 1.0 if self.config.one_based else 0.0
        return Entry(image, label, (left - first, top - first, right, bottom))

    def _splits(self, annotation_of: Mapping[str, str]) -> dict[str, Split]:
        """Return the images' splits by the official lists, whose lines name annotations without their extension."""
        image_of = {_base_stem(path): image for image, path in annotation_of.items()}
        splits: dict[str, Split] = {}
        for name, split in LISTS:
            path = f"{self.root}ImageSets/Main/{name}.txt"
            if path not in self.tree.files:
                continue
            for where, text in text_lines(self.tree, path):
                image = image_of.get(text) or self._listed(text, where)
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
    """Return the folder that holds `Annotations`, with its slash, and the XML files in `Annotations`."""
    files = [path for path in tree.files if path.lower().endswith(".xml")]
    root = _root(tree, files)
    folder = f"{root}Annotations/"
    annotations = [path for path in files if path.startswith(folder)]
    for path in annotations:
        if folder_of(path) != folder:
            raise DataError(f"{path} in {tree.location} lies deeper than Annotations itself: move it up.")
    return root, annotations


def _root(tree: Tree, files: Iterable[str]) -> str:
    candidates = roots(files, "Annotations")
    if not candidates:
        raise DataError(f"{tree.location} holds no Annotations/*.xml: give the folder or .zip of a VOC data set.")
    if len(candidates) > 1:
        raise DataError(
            f"{tree.location} holds {len(candidates)} folders named Annotations, in {candidates[0] or './'} and in "
            f"{candidates[1]}: give the path of one data set."
        )
    return candidates[0]


def _base_stem(path: str) -> str:
    """Return the name of a file without its folder and its extension."""
    return stem(path)[len(folder_of(path)) :]


def _is_difficult(element: Any) -> bool:
    return (element.findtext("difficult") or "").strip() == "1"


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
