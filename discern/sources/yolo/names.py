"""The classes of a YOLO data set by their numbers, from a YAML or from a list of one class a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from discern.errors import DataError
from discern.sources.files.tree import Tree
from discern.sources.names import clean_label
from discern.sources.parsing import number, read_text


def read_yaml(tree: Tree, path: str) -> dict[str, Any]:
    """Read a YAML file of texts, lists and mappings.

    Raises:
        DataError: it is damaged, or holds no mapping.
    """
    try:
        # The base loader makes texts, lists and mappings alone; the safe one would read the classes `no` and `1_0` as
        # something else than they are called.
        content = yaml.load(read_text(tree, path), Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{path} is no whole YAML file ({' '.join(str(error).split())[:200]}): mend it.") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} has no keys: give it names, and the paths of train, val or test.")
    return content


def names_of_yaml(content: Mapping[str, Any], path: str) -> dict[int, str]:
    """Return the classes that a YAML names.

    Raises:
        DataError: there are none, or one has no number or no name.
    """
    names: dict[int, str] = {}
    for key, name in _named_keys(content.get("names")):
        number_of_class = class_number(str(key))
        if number_of_class is None or number_of_class in names or not isinstance(name, str):
            raise DataError(
                f"names of {path} has {str(key)[:50]!r} for {text_or_kind(name)[:50]!r}: write a number and one name."
            )
        names[number_of_class] = clean_label(name, f"names[{number_of_class}] of {path}")
    if not names:
        raise DataError(f"{path} has no list of names: give each class its name.")
    count = text_or_kind(content.get("nc", str(len(names))))
    if count != str(len(names)):
        raise DataError(f"{path} says nc: {count[:50]}, and has {len(names)} names: make them agree.")
    return names


def names_of_list(tree: Tree, path: str) -> dict[int, str]:
    """Return the classes of a text file, one a line, the first being 0.

    Raises:
        DataError: a line is blank, or unfit for a label.
    """
    lines = [line.strip() for line in read_text(tree, path).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return {i: clean_label(line, f"line {i + 1} of {path}") for i, line in enumerate(lines)}


def class_number(text: str) -> int | None:
    """The number that a class is written as, or None where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def written_class(text: str) -> int | None:
    """The number of a class in a line of labels, where numpy writes 1 as 1.0 or 1.000000e+00; None where it is none."""
    try:
        value = number(text, "")
    except DataError:
        return None
    return class_number(f"{value:.0f}") if value.is_integer() else None


def text_or_kind(value: Any) -> str:
    """A text, or the kind of what is none: some lines of YAML can stand for a list of billions."""
    return value if isinstance(value, str) else f"a {type(value).__name__}"


def _named_keys(names: Any) -> Iterable[tuple[Any, Any]]:
    """Return the pairs of a list or a mapping of names, unchecked; none of anything else."""
    if isinstance(names, list):
        return enumerate(names)
    return names.items() if isinstance(names, dict) else ()
