"""What is dear to make and the same for every test: made once, and found again by other workers and later runs.

It lies in pytest's cache (`pytest --cache-clear` removes it), under a key of everything that its making imports.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import pickle
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".pytest_cache" / "d" / "prepared"
LIBRARIES = ("numpy", "onnx", "onnxruntime", "timm", "torch")
KEPT_VERSIONS = 3  # of each thing: enough to go back and forth between two states of the code
OPEN_ZENML = "from zenml.client import Client; Client().active_stack"

Made = TypeVar("Made")


def prepared(name: str, module: str, make: Callable[[Path], Made]) -> Made:
    """Return what `make` returns, made now or by an earlier test run with the same code.

    Args:
        name: what it is, for its folder.
        module: the module that makes it; a change in what it imports makes it anew.
        make: takes a new folder for its files, and returns something that pickle can store.
    """
    from discern.source_code import code_fingerprint  # the device's tests run where discern is not installed

    key = hashlib.sha256(f"{code_fingerprint([module], REPOSITORY)} {_machine()}".encode()).hexdigest()[:16]
    folder = CACHE / name / key
    pickled = folder / "made.pickle"
    with _lock(name):
        if not pickled.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "files").mkdir(parents=True)
            made = pickle.dumps(make(folder / "files"))
            pickled.write_bytes(made)
            _forget_old(folder.parent)
        data = pickled.read_bytes()
    value: Made = pickle.loads(data)  # noqa: S301 - written above
    return value


def copy_zenml_config(config: Path) -> None:
    """Put a ZenML configuration with a new database into the folder `config`: creating one takes seconds each time."""
    version = importlib.metadata.version("zenml")
    with _lock("zenml"):
        template = CACHE / "zenml" / version
        if not template.is_dir():
            _create_zenml_config(template)
    shutil.copytree(template, config)
    settings = config / "config.yaml"
    settings.write_text(settings.read_text().replace(str(template), str(config)))


def _create_zenml_config(template: Path) -> None:
    template.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=template.parent) as temporary:
        made = Path(temporary) / "config"
        environment = {
            **os.environ,
            "ZENML_CONFIG_PATH": str(made),
            "ZENML_LOCAL_STORES_PATH": str(made / "local_stores"),
            "ZENML_REPOSITORY_PATH": temporary,
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_LOGGING_VERBOSITY": "WARN",
        }
        subprocess.run([sys.executable, "-c", OPEN_ZENML], env=environment, check=True, capture_output=True)
        settings = made / "config.yaml"
        settings.write_text(settings.read_text().replace(str(made), str(template)))
        made.rename(template)


def _machine() -> str:
    versions = [f"{library} {importlib.metadata.version(library)}" for library in LIBRARIES]
    return " ".join([platform.python_version(), platform.processor(), platform.node(), *versions])


@contextmanager
def _lock(name: str) -> Iterator[None]:
    """Let one process at a time make `name`; the others wait and find it made."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _forget_old(parent: Path) -> None:
    newest_first = sorted(parent.iterdir(), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in newest_first[KEPT_VERSIONS:]:
        shutil.rmtree(folder, ignore_errors=True)
