"""Label Studio's own export, JSON or JSON-MIN, beside its images.

Rules kept:
- every task gives a photo: one for each thing that was outlined, else one for each choice, which labels the whole
  picture, else an empty one where somebody submitted nothing, or one without a label where nobody did;
- of several annotators the ground truth counts; else all do: choices give each label (cleaning withholds and reports
  those that disagree), things are those of the first, and none where annotators disagree on what is there;
- a shape that is no box gives the box around it; what makes no sense is a fault, left out with the reason;
- what a task names is looked up among the files there are, beside the JSON first, and nowhere else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from discern.errors import DataError
from discern.sources.entries import Entry, ListedSource, in_order, with_names
from discern.sources.files.open import open_tree
from discern.sources.files.tree import Tree
from discern.sources.label_studio.tasks import Opinion, Task, read_task
from discern.sources.named_files import NamedFiles, Wanted
from discern.sources.names import NamesConfig
from discern.sources.parsing import LARGE, read_whole
from discern.sources.paths import file_at, folder_of, images_below


class LabelStudioConfig(BaseModel):
    """A project of Label Studio, exported as JSON or JSON-MIN.

    Args:
        path: the folder or archive that holds the JSON and the images, at any depth.
        export: path of the JSON inside it; without it, every .json that is such an export counts.
        margin: what is shown around a box, as a share of its width and height.
        names: what the photos' paths say of their group and time.
        encoding: of the names in an archive that does not state it, such as gb18030 or cp932.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["label_studio"] = "label_studio"
    path: str = Field(min_length=1)
    export: str | None = Field(default=None, min_length=1)
    margin: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    names: NamesConfig | None = None
    encoding: str | None = Field(default=None, min_length=1)


class LabelStudioSource(ListedSource):
    """Things in the photos of a Label Studio project, by image, box and label.

    Raises:
        DataError: there is no export, it is damaged, or there are no images.
    """

    def __init__(self, config: LabelStudioConfig) -> None:
        tree = open_tree(config.path, config.encoding)
        entries = with_names(_entries(tree, config), config.names)
        super().__init__(tree.name, tree, config, in_order(entries), config.margin)


def _entries(tree: Tree, config: LabelStudioConfig) -> Iterator[Entry]:
    images = images_below(tree)
    if not images:
        raise DataError(f"{tree.location} holds no images: put them beside the JSON, as the project names them.")
    tasks: list[tuple[Task, Wanted]] = []
    for path, records in _exports(tree, config):
        for place, record in enumerate(records, start=1):
            where = f"entry {place} of {path}"
            try:
                task = read_task(record, where)
                tasks.append((task, Wanted(task.image, folder_of(path))))
            except DataError as error:
                yield Entry(where, None, fault=str(error))
    found = NamedFiles(images).meant_by_each([wanted for _, wanted in tasks])
    for (task, _), paths in zip(tasks, found, strict=True):
        if len(paths) == 1:
            yield from _of_task(paths[0], task)
        else:
            yield Entry(task.image, None, fault=_not_found(tree, task, paths))


def _of_task(path: str, task: Task) -> Iterator[Entry]:
    opinions = [opinion for opinion in task.opinions if opinion.is_truth] or task.opinions
    if not opinions:
        yield Entry(path, None)
        return
    boxed = [_without_whole(opinion) for opinion in opinions]
    if any(opinion.things for opinion in boxed):
        yield from _boxed(path, boxed)
    elif any(opinion.things for opinion in opinions):
        yield from _chosen(path, opinions)
    else:
        yield Entry(path, None, empty=True, provenance=opinions[0].provenance)


def _without_whole(opinion: Opinion) -> Opinion:
    return opinion._replace(things=[thing for thing in opinion.things if thing.box is not None or thing.fault])


def _boxed(path: str, opinions: list[Opinion]) -> Iterator[Entry]:
    counts = [Counter(thing.label for thing in opinion.things) for opinion in opinions]
    if any(count != counts[0] for count in counts):
        yield Entry(path, None)
        return
    for thing in opinions[0].things:
        yield Entry(
            path,
            thing.label,
            thing.box,
            stated_size=thing.stated_size,
            fault=thing.fault,
            provenance=opinions[0].provenance,
        )


def _chosen(path: str, opinions: list[Opinion]) -> Iterator[Entry]:
    first_by = {thing.label: opinion.provenance for opinion in reversed(opinions) for thing in opinion.things}
    for label in sorted(first_by, key=str):
        yield Entry(path, label, provenance=first_by[label])


def _not_found(tree: Tree, task: Task, found: list[str]) -> str:
    if found:
        return f"{task.where} names {task.image[:200]!r}, which can mean {found[0]} and {found[1]}: rename one of them."
    return (
        f"{task.where} names {task.image[:200]!r}, which {tree.location} does not hold: put it beside the JSON, "
        "or remove the task."
    )


def _exports(tree: Tree, config: LabelStudioConfig) -> Iterator[tuple[str, list[Any]]]:
    named = file_at(tree, config.export) if config.export else None
    if config.export and named is None:
        raise DataError(f"{tree.location} holds no file {config.export!r}: set export to the path of its JSON.")
    jsons = [path for path in tree.files if path.lower().endswith(".json")]
    exports = [(path, records) for path in ([named] if named else jsons) if (records := _records(tree, path))]
    if not exports:
        raise DataError(
            f"{tree.location} holds no export of Label Studio (it has {', '.join(jsons[:3]) or 'no .json'}): export "
            "the project as JSON."
        )
    yield from exports


def is_export(tree: Tree, path: str) -> bool:
    """Return True if a JSON file is a project's export; a damaged one is none."""
    try:
        return bool(_records(tree, path))
    except DataError:
        return False


def _records(tree: Tree, path: str) -> list[Any]:
    """Return the tasks of a file, or none where it is no list of such.

    Raises:
        DataError: it is damaged.
    """
    try:
        content = json.loads(read_whole(tree, path, LARGE))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no whole JSON file ({error}): export it again.") from None
    has_tasks = isinstance(content, list) and any(isinstance(task, dict) and _is_task(task) for task in content)
    return content if has_tasks else []


def _is_task(record: dict[str, Any]) -> bool:
    return isinstance(record.get("data"), dict) or "annotation_id" in record or "annotator" in record
