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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.sources.base import Role, Split
from discern.sources.entries import Entry, ListedSource, in_order
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label
from discern.sources.parsing import text_lines
from discern.sources.paths import images_below, roots, stem
from discern.stable_random import stable_sort_key

LISTS: tuple[tuple[str, Split], ...] = (("train", "train"), ("val", "validation"), ("test", "test"))
BACKGROUND, EVALUATION, RUNS = "images_background", "images_evaluation", "one_shot_runs"


class OmniglotConfig(BaseModel):
    """Omniglot, by the one-shot runs of Lake et al. (Science 2015) or the split of Vinyals et al. (NIPS 2016).

    Args:
        path: the folder or the archive that holds `images_background`, at any depth.
        protocol: `lake` or `vinyals`.
        validation_alphabets: of `lake`, how many background alphabets are held out for validation.
        seed: of `lake`, which these are.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["omniglot"] = "omniglot"
    path: str = Field(min_length=1)
    protocol: Literal["lake", "vinyals"] = "lake"
    validation_alphabets: int = Field(default=5, ge=0)
    seed: int = 0
    encoding: str | None = Field(default=None, min_length=1)


class OmniglotSource(ListedSource):
    """Drawings of Omniglot, sorted by path.

    Raises:
        DataError: a folder or a list is missing, or a list names what does not exist.
    """

    def __init__(self, config: OmniglotConfig) -> None:
        tree = open_tree(config.path, config.encoding)
        reader = _Reader(tree)
        entries = reader.lake(config) if config.protocol == "lake" else reader.vinyals()
        super().__init__("omniglot", tree, config, in_order(entries))


class _Reader:
    """Reads the data set's own folders and lists."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        tops = roots(tree.files, BACKGROUND)
        if len(tops) != 1:
            raise DataError(
                f"{tree.location} holds {len(tops) or 'no'} folders named {BACKGROUND}: give the path of one Omniglot."
            )
        self.root = tops[0]

    def lake(self, config: OmniglotConfig) -> Iterator[Entry]:
        """Yield the background alphabets, and the one-shot runs as the test."""
        yield from self._background(config)
        for run, paths in self._runs().items():
            yield from self._run(run, paths)

    def vinyals(self) -> Iterator[Entry]:
        """Yield the characters that the lists name."""
        characters = self._characters(BACKGROUND, EVALUATION)
        for label, split in self._listed(characters).items():
            role: Role | None = "gallery" if split == "train" else None
            for path in characters[label]:
                yield Entry(path, label, split=split, role=role)

    def _background(self, config: OmniglotConfig) -> Iterator[Entry]:
        characters = self._characters(BACKGROUND)
        alphabets = sorted({label.split("/")[0] for label in characters})
        if config.validation_alphabets >= len(alphabets):
            raise DataError(
                f"validation_alphabets is {config.validation_alphabets} of {len(alphabets)} alphabets, and one must "
                "remain to train: lower it."
            )
        drawn = sorted(alphabets, key=lambda alphabet: stable_sort_key(config.seed, alphabet))
        heldout = frozenset(drawn[: config.validation_alphabets])
        for label, paths in characters.items():
            for path in paths:
                if label.split("/")[0] in heldout:
                    yield Entry(path, label, split="validation")
                else:
                    yield Entry(path, label, split="train", role="gallery")

    def _listed(self, characters: Mapping[str, list[str]]) -> dict[str, Split]:
        """Return the split of every character in the lists."""
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
        return splits

    def _characters(self, *folders: str) -> dict[str, list[str]]:
        """Return the pictures by `alphabet/character`."""
        characters: dict[str, list[str]] = defaultdict(list)
        for folder in folders:
            start = f"{self.root}{folder}/"
            images = images_below(self.tree, start)
            if not images:
                raise DataError(f"{self.tree.location} holds no images in {start}: restore the data set.")
            for path in images:
                characters[self._character(path, start)].append(path)
        return characters

    def _character(self, path: str, start: str) -> str:
        alphabet, _, rest = path.removeprefix(start).partition("/")
        if rest.count("/") != 1:
            raise DataError(f"{path} in {self.tree.location} is not alphabet/character/picture: move or remove it.")
        return clean_label(f"{alphabet}/{rest.split('/')[0]}", f"the folder of {path!r}")

    def _runs(self) -> dict[str, list[str]]:
        """Return the pictures by their one-shot run."""
        start = f"{self.root}{RUNS}/"
        runs: dict[str, list[str]] = defaultdict(list)
        for path in images_below(self.tree, start):
            runs[path.removeprefix(start).split("/")[0]].append(path)
        if not runs:
            raise DataError(f"{self.tree.location} holds no images in {start}: add the one-shot runs.")
        return runs

    def _run(self, run: str, paths: Sequence[str]) -> Iterator[Entry]:
        """Yield a run's training pictures, and its test pictures with the classes that its list gives them."""
        folder = f"{self.root}{RUNS}/{run}"
        training = [path for path in paths if path.startswith(f"{folder}/training/")]
        labels = {path: f"{run}/{stem(path).rpartition('/')[2]}" for path in training}
        for path, label in labels.items():
            yield Entry(path, label, split="test", role="gallery")
        queries = [path for path in paths if path.startswith(f"{folder}/test/")]
        yield from self._queries(run, queries, labels)

    def _queries(self, run: str, queries: Iterable[str], labels: Mapping[str, str]) -> Iterator[Entry]:
        """Yield a run's test pictures; each line of its list names one, and the training picture of its class."""
        unlisted = set(queries)
        for where, text in self._lines(f"{RUNS}/{run}/class_labels.txt"):
            paths = [f"{self.root}{RUNS}/{name}" for name in text.split()]
            if len(paths) != 2 or paths[0] not in unlisted or paths[1] not in labels:
                raise DataError(
                    f"{where} is not a test picture of {run} not named before and a training one: restore it."
                )
            query, example = paths
            unlisted.remove(query)
            yield Entry(query, labels[example], split="test", role="query")
        if unlisted:
            raise DataError(f"{min(unlisted)} is not in {self.root}{RUNS}/{run}/class_labels.txt: restore the list.")

    def _lines(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield what messages call each line of a list, and its text."""
        path = self.root + name
        if path not in self.tree.files:
            raise DataError(f"{self.tree.location} holds no {path}: restore the data set.")
        yield from text_lines(self.tree, path)
