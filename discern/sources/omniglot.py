"""Omniglot (Lake, Salakhutdinov, Tenenbaum, Science 350, 2015): 1,623 handwritten characters, 20 drawings of each.

The layout: `images_background/ALPHABET/characterNN/*.png` (30 alphabets), `images_evaluation` likewise (20 others),
`one_shot_runs/runNN/{training,test}/*.png` with `class_labels.txt`, and `splits_vinyals/{train,val,test}.txt`. Two
protocols:

`lake`: the background alphabets train; some of them, drawn by `seed`, are held out for validation instead. The 20
    one-shot runs are the test: each has 20 classes of one training picture (gallery) and one test picture (query). A
    class belongs to its run alone, as `runNN/classMM`, and its query is to be compared within its run. The evaluation
    alphabets are not read: they hold the very pictures of the runs.
`vinyals` (Vinyals et al., NIPS 2016): characters of all alphabets as the lists split them. The lists name each
    character four times, turned; here it is one class: whether turned ones are further classes is training's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.sources.base import Split
from discern.sources.entries import Entry, ListedSource, draw, in_order
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label
from discern.sources.parsing import read_text
from discern.sources.paths import images_below, roots, stem

LISTS: tuple[tuple[str, Split], ...] = (("train", "train"), ("val", "validation"), ("test", "test"))
BACKGROUND, EVALUATION, RUNS = "images_background", "images_evaluation", "one_shot_runs"


class OmniglotConfig(BaseModel):
    """The folder or .zip of the data set, and the protocol; see this module's text.

    Args:
        path: the folder or the archive that holds `images_background`, at any depth.
        protocol: `lake` or `vinyals`.
        validation_alphabets: of `lake`, how many background alphabets are held out for validation.
        seed: of `lake`, which these are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["omniglot"] = "omniglot"
    path: str = Field(min_length=1)
    protocol: Literal["lake", "vinyals"] = "lake"
    validation_alphabets: int = Field(default=5, ge=0)
    seed: int = 0


class OmniglotSource(ListedSource):
    """Drawings of Omniglot, sorted by path.

    Raises:
        DataError: a folder or a list is missing, or a list names what does not exist.
    """

    def __init__(self, config: OmniglotConfig) -> None:
        tree = open_tree(config.path)
        reader = _Reader(tree)
        entries = reader.lake(config) if config.protocol == "lake" else reader.vinyals()
        super().__init__("omniglot", tree, config, in_order(entries))


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        found = roots(tree.files, BACKGROUND)
        if len(found) != 1:
            raise DataError(
                f"{tree.place} holds {len(found) or 'no'} folders named {BACKGROUND}: give the path of one Omniglot."
            )
        self.root = found[0]

    def lake(self, config: OmniglotConfig) -> Iterator[Entry]:
        characters = self._characters(BACKGROUND)
        alphabets = sorted({label.split("/")[0] for label in characters})
        if config.validation_alphabets >= len(alphabets):
            raise DataError(
                f"validation_alphabets is {config.validation_alphabets} of {len(alphabets)} alphabets, and one must "
                "remain to train: lower it."
            )
        drawn = sorted(alphabets, key=lambda alphabet: draw(config.seed, alphabet))[: config.validation_alphabets]
        for label, paths in characters.items():
            if label.split("/")[0] in drawn:
                yield from (Entry(path, label, split="validation") for path in paths)
            else:
                yield from (Entry(path, label, split="train", role="gallery") for path in paths)
        runs: dict[str, list[str]] = defaultdict(list)
        for path in images_below(self.tree, f"{self.root}{RUNS}/"):
            runs[path.removeprefix(f"{self.root}{RUNS}/").split("/")[0]].append(path)
        if not runs:
            raise DataError(f"{self.tree.place} holds no images in {self.root}{RUNS}/: add the one-shot runs.")
        for run, paths in runs.items():
            yield from self._run(run, paths)

    def vinyals(self) -> Iterator[Entry]:
        characters = self._characters(BACKGROUND, EVALUATION)
        splits: dict[str, Split] = {}
        for name, split in LISTS:
            for where, text in self._lines(f"splits_vinyals/{name}.txt"):
                label = text.rpartition("/")[0]
                if label not in characters:
                    raise DataError(
                        f"{where} names {text[:100]!r}, a character without pictures: restore the data set."
                    )
                if splits.setdefault(label, split) != split:
                    raise DataError(f"{where} names {label}, which is in {splits[label]} already: restore the list.")
        for label, split in splits.items():
            role: Literal["gallery"] | None = "gallery" if split == "train" else None
            yield from (Entry(path, label, split=split, role=role) for path in characters[label])

    def _characters(self, *folders: str) -> dict[str, list[str]]:
        """Pictures by `alphabet/character`."""
        found: dict[str, list[str]] = defaultdict(list)
        for start in (f"{self.root}{folder}/" for folder in folders):
            images = images_below(self.tree, start)
            if not images:
                raise DataError(f"{self.tree.place} holds no images in {start}: restore the data set.")
            for path in images:
                alphabet, _, rest = path.removeprefix(start).partition("/")
                if rest.count("/") != 1:
                    raise DataError(
                        f"{path} in {self.tree.place} is not alphabet/character/picture: move or remove it."
                    )
                found[clean_label(f"{alphabet}/{rest.split('/')[0]}", f"the folder of {path!r}")].append(path)
        return found

    def _run(self, run: str, paths: list[str]) -> Iterator[Entry]:
        """A run's training pictures, and its test pictures with the classes that its list gives them."""
        start = f"{self.root}{RUNS}/"
        training = {path: stem(path).rpartition("/")[2] for path in paths if path.startswith(f"{start}{run}/training/")}
        yield from (Entry(path, f"{run}/{name}", split="test", role="gallery") for path, name in training.items())
        asked = {path for path in paths if path.startswith(f"{start}{run}/test/")}
        for where, text in self._lines(f"{RUNS}/{run}/class_labels.txt"):
            words = text.split()
            if len(words) != 2 or start + words[0] not in asked or start + words[1] not in training:
                raise DataError(
                    f"{where} is not a test picture of {run} not named before and a training one: restore it."
                )
            asked.remove(start + words[0])
            yield Entry(start + words[0], f"{run}/{training[start + words[1]]}", split="test", role="query")
        if asked:
            raise DataError(f"{min(asked)} is not in {start}{run}/class_labels.txt: restore the list.")

    def _lines(self, name: str) -> Iterator[tuple[str, str]]:
        """What messages call each line of a list, and its text."""
        path = self.root + name
        if path not in self.tree.files:
            raise DataError(f"{self.tree.place} holds no {path}: restore the data set.")
        for line, text in enumerate(read_text(self.tree, path).splitlines(), start=1):
            if text.strip():
                yield f"line {line} of {path}", text.strip()
