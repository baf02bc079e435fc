"""The folder of a use case and its three configs: what the folder itself says, and writing all of them or none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from discern.errors import ConfigError
from discern.storage.atomic_folder import is_free, new_folder
from edge_runtime.files import write_atomically

PIPELINES = ("data", "training", "promotion")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def name_problem(name: str) -> str | None:
    """Return why `name` cannot be a use case's, in a sentence; None where it can."""
    if _NAME.fullmatch(name):
        return None
    return (
        f"{name!r} is no name for a use case: take up to 40 small letters, digits, - and _, and begin with a letter or "
        "a digit."
    )


def folder_of(config: Path) -> str:
    """Return the name of the folder that a config lies in."""
    return config.absolute().parent.name


def folder_parameters(config: Path) -> dict[str, str]:
    """Return the parameters that the folder of a config says, so that the file need not.

    Args:
        config: the file; it need not exist.

    Returns:
        `use_case`: the folder's name, where it can be a use case's. `training`: path of the training pipeline's config
        in the folder, where there is one.
    """
    said = {}
    if name_problem(folder_of(config)) is None:
        said["use_case"] = folder_of(config)
    training = config.with_name("training.yaml")
    if training.is_file():
        said["training"] = str(training)
    return said


def name_problems(name: str, folder: Path, *, force: bool) -> list[str]:
    """Return a sentence for each reason why a use case cannot be written.

    Args:
        name: of the use case.
        folder: where its configs would lie.
        force: configs that are there already may be replaced.
    """
    problems = []
    if problem := name_problem(name):
        problems.append(problem)
    elif not force and not is_free(folder):
        problems.append(f"{folder} is there already: take another name, or --force to replace its configs.")
    elif folder.exists() and not folder.is_dir():
        problems.append(f"{folder} is a file: remove it, or take another name.")
    return problems


def write_configs(folder: Path, texts: Mapping[str, str]) -> None:
    """Write `data.yaml`, `training.yaml` and `promotion.yaml`; files of other names stay.

    Raises:
        ConfigError: the folder cannot be written.
    """
    try:
        if is_free(folder):
            with new_folder(folder) as temporary:
                _write(temporary, texts)
        else:
            _write(folder, texts)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written ({error.strerror}): run this in a folder of your own.") from None


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for pipeline in PIPELINES:
        write_atomically(folder / f"{pipeline}.yaml", texts[pipeline].encode())
