"""Pascal VOC: an XML file an image, in `Annotations` beside the images in `JPEGImages`, or wherever a tool puts it.

Rules kept:
- every image gives a photo: one for each of its objects, an empty one where its XML has none, or one without a label
  where it has no XML;
- an XML file describes the image of its own name; where there is none, the one that its `<filename>` names;
- an object or a file that makes no sense is a fault: it is left out with the reason;
- boxes are taken as they are written; whether they fit their picture is known once it is decoded, not here;
- an XML file is small and declares no entities; what it names is looked up among the files there are, and nowhere else.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.map_ahead import map_ahead
from discern.sources.base import Split
from discern.sources.entries import Entry, ListedSource, in_order, with_names
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.named_files import NamedFiles
from discern.sources.names import NamesConfig, splits_of_folders
from discern.sources.parsing import read_whole, text_lines
from discern.sources.paths import folder_of, images_below, is_image, stem
from discern.sources.voc.annotation import VocAnnotation, read_annotation
from discern.sources.xml import WrongEncodingError

logger = logging.getLogger(__name__)

# The lists in ImageSets/Main; what `trainval` alone holds trains.
LISTS: tuple[tuple[str, Split], ...] = (
    ("train", "train"),
    ("val", "validation"),
    ("test", "test"),
    ("trainval", "train"),
)
_NO_IMAGE = "which is the name of no image: add it, or remove the line."
# Folders of what is shown, and of what is said of it.
_CONTENTS = frozenset({"annotations", "annotation", "xml", "xmls", "labels", "jpegimages", "images", "image", "imgs"})
_MASKS = re.compile(r"(^|/)Segmentation(Class|Object)[^/]*/", re.IGNORECASE)  # pictures of masks, named as the images
_WITH_MARK = re.compile(r"(.+?)\s+(?:-1|0|1)")  # a line of a class's list: the image, and whether it shows the class


class VocConfig(BaseModel):
    """A data set in the format of Pascal VOC.

    Args:
        path: the folder or archive that holds the XML files and the images: in `Annotations` and `JPEGImages`, beside
            each other, or in folders of other names, at any depth.
        margin: what is shown around a box, as a share of its width and height.
        one_based: coordinates count from 1, as the original VOC's do; labelling tools count from 0.
        splits: follow `ImageSets/Main/{train,val,test,trainval}.txt` where there are such, else the folders where these
            are named train, valid and test.
        difficult: keep objects marked difficult; an image that has no others then gives nothing.
        names: what the photos' paths say of their group and time.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["voc"] = "voc"
    path: str = Field(min_length=1)
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    one_based: bool = False
    splits: bool = True
    difficult: bool = True
    names: NamesConfig | None = None
    encoding: str | None = Field(default=None, min_length=1)


class VocSource(ListedSource):
    """Objects in the photos of a VOC data set, by image, box and label.

    Raises:
        DataError: there are no annotations, several data sets, or no images.
    """

    def __init__(self, config: VocConfig) -> None:
        tree = open_tree(config.path, config.encoding)
        entries = with_names(_Reader(tree, config).entries(), config.names)
        super().__init__(tree.name, tree, config, in_order(entries), config.margin)


class _Reader:
    def __init__(self, tree: Tree, config: VocConfig) -> None:
        self.tree = tree
        self.config = config
        self.images = [path for path in images_below(tree) if not _MASKS.search(path)]
        if not self.images:
            raise DataError(f"{tree.location} holds no images: put them beside the XML files, or into JPEGImages.")
        self.files = NamedFiles(self.images)
        self.stale: list[str] = []  # what names another image than its own

    def entries(self) -> Iterator[Entry]:
        """Yield the objects of every image, or the image alone where it has none, and the faults."""
        annotations: dict[str, tuple[str, VocAnnotation]] = {}  # by image
        described = [
            (path, content, self._image(path, content) if isinstance(content, VocAnnotation) else content)
            for path, content in self._annotations()
        ]
        # An image is described by the annotation that is called like it before any that only names it.
        for path, annotation, image in sorted(described, key=lambda entry: not _are_namesakes(entry[0], entry[2])):
            if image not in self.files:
                yield Entry(path, None, fault=image)
            elif image in annotations:
                fault = f"{annotations[image][0]} and {path} both describe {image}: remove one of them."
                yield Entry(image, None, fault=fault)
            elif isinstance(annotation, VocAnnotation):
                annotations[image] = path, annotation
        self._tell_stale()
        folders = tuple({folder_of(image) for image in annotations})
        images = [image for image in self.images if image.startswith(folders)]
        splits, faults = self._splits(images) if self.config.splits else ({}, {})
        yield from (Entry(name, None, fault=fault) for name, fault in faults.items())
        for image in images:
            if image not in faults:
                yield from (entry._replace(split=splits.get(image)) for entry in self._of_image(image, annotations))

    def _annotations(self) -> Iterator[tuple[str, VocAnnotation | str]]:
        """Yield path and content of the annotations, or the fault of a file among them that is none.

        Raises:
            DataError: there are none.
        """
        first = 1.0 if self.config.one_based else 0.0
        read = partial(_read, self.tree, first)
        files = dict(map_ahead(read, (path for path in self.tree.files if path.lower().endswith(".xml"))))
        folders = {folder_of(path) for path, content in files.items() if isinstance(content, VocAnnotation)}
        if not folders:
            raise DataError(self._none(files))
        for path, content in files.items():
            if folder_of(path) in folders:
                yield path, content

    def _none(self, files: Mapping[str, VocAnnotation | str]) -> str:
        """Say that there are no annotations, and what is there instead."""
        for fault in files.values():
            if isinstance(fault, str):
                return fault
        return f"{self.tree.location} holds no annotations (*.xml): give the folder or archive of a VOC data set."

    def _of_image(self, image: str, annotations: Mapping[str, tuple[str, VocAnnotation]]) -> Iterator[Entry]:
        if image not in annotations:
            yield Entry(image, None)
            return
        _, annotation = annotations[image]
        if not annotation.objects:
            yield Entry(image, None, empty=True)
        for thing in annotation.objects:
            if self.config.difficult or not thing.is_difficult:
                yield Entry(image, thing.label, thing.box, stated_size=annotation.stated_size, fault=thing.fault)

    def _image(self, path: str, annotation: VocAnnotation) -> str:
        """Return the image that an annotation describes, or say why it is none."""
        own = self.files.of_stem(path)
        named = self.files.meant(annotation.filename, folder_of(path))
        beside = [image for image in own if _are_counterparts(path, image)]
        both = [image for image in own if image in named]
        for candidates in (beside, both, named, own):
            if len(candidates) == 1:
                self._note_stale(path, candidates[0], named)
                return candidates[0]
        if own or named:
            first, second = (own or named)[:2]
            return f"{path} can mean {first} and {second}: give one of them another name."
        name = annotation.filename or stem(path).rpartition("/")[2]
        return (
            f"{path} describes the image {name!r}, which {self.tree.location} does not hold: add the image, or remove "
            "the annotation."
        )

    def _note_stale(self, path: str, image: str, named: list[str]) -> None:
        if named and image not in named:
            self.stale.append(f"{path} names {named[0]}, and {image} is called like it")

    def _tell_stale(self) -> None:
        if self.stale:
            logger.warning(
                "%s, and is taken (%d such in %s): a <filename> that names another image is out of date.",
                self.stale[0],
                len(self.stale),
                self.tree.location,
            )

    def _splits(self, images: Sequence[str]) -> tuple[Mapping[str, Split], Mapping[str, str]]:
        """Return the images' splits by the official lists, else by their folders; and why names in lists have none."""
        lists = [(path, split) for name, split in LISTS for path in self.tree.files if _is_list(path, name)]
        if not lists:
            return splits_of_folders(images), {}
        splits: dict[str, Split] = {}
        faults: dict[str, str] = {}
        for path, split in lists:
            is_rest = path.lower().endswith("/trainval.txt")  # what it repeats has its split already
            for where, text in text_lines(self.tree, path):
                image = self._listed(text, path)
                before = None if image is None else splits.setdefault(image, split)
                if image is None and not text.startswith("#"):
                    faults[text] = f"{where} names {text!r}, {_NO_IMAGE}"
                elif image and before != split and not (is_rest and before == "validation"):
                    faults[image] = f"{where} puts {image} into {split}, and another list into {before}: choose one."
        return splits, faults

    def _listed(self, text: str, path: str) -> str | None:
        """Return the image that a line of a list means: a name with or without its extension, perhaps with a mark."""
        root = folder_of(path)[: -len("ImageSets/Main/")]
        marked = _WITH_MARK.fullmatch(text)
        for name in (text, marked.group(1) if marked else text):
            bare = stem(name) if is_image(name) else name
            images = self.files.of_stem(f"{root}JPEGImages/{bare}.xml")
            if len(images) == 1:
                return images[0]
        return None


def _read(tree: Tree, first: float, path: str) -> VocAnnotation | str:
    """Return the content of a file, or the reason why it is no annotation.

    Raises:
        WrongEncodingError: it is not UTF-8; whole classes would be missing without the files that are not.
    """
    try:
        return read_annotation(path, read_whole(tree, path), first)
    except WrongEncodingError:
        raise
    except DataError as error:
        return str(error)


def _is_list(path: str, name: str) -> bool:
    return f"/{path}".lower().endswith(f"/imagesets/main/{name}.txt")


def _are_namesakes(path: str, image: str) -> bool:
    return stem(path).rpartition("/")[2].lower() == stem(image).rpartition("/")[2].lower()


def _are_counterparts(path: str, image: str) -> bool:
    """Return True if two files lie in one folder, or in folders that differ by what they hold alone."""
    return _holding(path) == _holding(image)


def _holding(path: str) -> list[str]:
    return [part for part in path.lower().split("/")[:-1] if part not in _CONTENTS]
