"""The whole examination of a stack: what can be told without it first, then its parts side by side.

A new kind of component is one more entry in `COMPONENTS`; a component that has none is told as not examined.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import StoreType
from zenml.exceptions import ZenMLBaseException
from zenml.utils.io_utils import get_global_config_directory

from discern.errors import ConfigError, first_line
from stacks.apply import differences
from stacks.doctor.bucket import check_bucket
from stacks.doctor.findings import Finding, fault, ok, warning
from stacks.doctor.folder import check_folder
from stacks.doctor.limit import Check, within
from stacks.doctor.machine import check_git, check_packages, check_python, check_room
from stacks.doctor.signing import check_signing
from stacks.doctor.tracker import check_tracker
from stacks.spec import FOLDER, Component, StackSpec, available, read_spec, variables_of

REPOSITORY = FOLDER.parent
SECONDS = 25.0  # for all that may have to be waited for


@dataclass(frozen=True)
class Part:
    """A component of a stack, and what its check is told beside it.

    Args:
        component: as the stack's file has it.
        stack: name of the stack.
        keys: folder or address of the signing keys.
    """

    component: Component
    stack: str
    keys: str

    @property
    def apply(self) -> str:
        """The command that brings the stack up."""
        return f"discern stack apply {self.stack}"


def active_stack() -> str:
    """Return the name of the active stack.

    Raises:
        ConfigError: there is none, or it has no file here.
    """
    if not _is_set_up():
        raise ConfigError("There is no active stack yet: run `discern stack apply local`, or name a stack.")
    name: str = Client().active_stack_model.name
    if name not in available():
        raise ConfigError(f"The active stack {name!r} has no file here: name one of {', '.join(available())}.")
    return name


def examine(stack: str, home: Path, keys: str | None = None, seconds: float = SECONDS) -> list[Finding]:
    """Check everything that a run on a stack relies on; nothing is changed, and nothing is left behind.

    Args:
        stack: name of the stack.
        home: DISCERN_HOME.
        keys: folder or address of `signers.json`; HOME/keys if None.
        seconds: for all that may have to be waited for.

    Raises:
        ConfigError: there is no such stack, or its file does not fit.
    """
    findings = [
        check_python(),
        check_packages(REPOSITORY / "requirements.txt"),
        check_git(REPOSITORY, os.environ),
        check_room(home),
    ]
    names = variables_of(stack)
    if missing := [name for name in names if not os.environ.get(name)]:
        exports = " and ".join(f"`export {name}=...`" for name in missing)
        text = (
            f"{' and '.join(missing)} not set, so the stack itself was not examined: run `source .envrc` and {exports}."
        )
        return [*findings, fault("variables", text)]
    findings.append(ok("variables", f"{', '.join(names)} set"))
    spec = read_spec(stack, os.environ)
    checks = _of_components(spec, keys or str(home / "keys"))
    if not _is_set_up():
        findings.append(fault("zenml stack", f"ZenML is not set up yet: run `discern stack apply {stack}`."))
    elif _asks_a_server():
        checks = {"zenml stack": partial(_check_stack, spec), **checks}
    else:  # a database on this machine answers, late where the machine is busy
        findings += _check_stack(spec)
    return findings + within(seconds, checks)


def _is_set_up() -> bool:
    """Return False where ZenML would have to make its configuration and its database first."""
    has_store = any(name.startswith("ZENML_STORE_") for name in os.environ)
    return has_store or (Path(get_global_config_directory()) / "config.yaml").is_file()


def _asks_a_server() -> bool:
    return GlobalConfiguration().store_configuration.type == StoreType.REST


def _of_components(spec: StackSpec, keys: str) -> dict[str, Check]:
    checks: dict[str, Check] = {}
    for kind, components in spec.components.items():
        for component in components:
            check = COMPONENTS.get((kind, component.flavor), _not_examined)
            checks[kind.replace("_", " ")] = partial(check, Part(component, spec.stack_name, keys))
    return checks


def _check_stack(spec: StackSpec) -> list[Finding]:
    """Compare what ZenML knows with the stack's file."""
    check, mend = "zenml stack", f"run `discern stack apply {spec.stack_name}`."
    try:
        differing = differences(spec)
        active = Client().active_stack_model.name
    except (ZenMLBaseException, SQLAlchemyError, OSError, RuntimeError) as error:
        return [
            fault(check, f"ZenML's store cannot be asked ({first_line(error)}): check ZENML_STORE_URL, or the disk.")
        ]
    if differing:
        return [fault(check, f"{spec.stack_name} is not as its file says ({'; '.join(differing)}): {mend}")]
    if active != spec.stack_name:
        told = f"as its file says, and runs go to {active!r}: `zenml stack set {spec.stack_name}` sends them here"
        return [ok(check, told)]
    return [ok(check, "as its file says, and active")]


def _store_in_folder(part: Part) -> list[Finding]:
    path = Path(part.component.configuration["path"])
    return _with_signing(check_folder(path, part.apply), str(path.parent), part)


def _store_in_bucket(part: Part) -> list[Finding]:
    url = part.component.configuration["path"].rstrip("/")
    return _with_signing(check_bucket(url, part.stack), url.rpartition("/")[0], part)


def _with_signing(findings: list[Finding], root: str, part: Part) -> list[Finding]:
    """Add the check of the repository, which lies beside the artifacts and is out of reach where they are."""
    if any(finding.level == "fault" for finding in findings):
        return [*findings, warning("repository", "not examined: mend the artifact store first.")]
    return [*findings, *check_signing(f"{root}/releases", part.keys)]


def _tracker(part: Part) -> list[Finding]:
    return check_tracker(str(part.component.configuration.get("tracking_uri", "")), part.apply)


def _on_this_machine(part: Part) -> list[Finding]:
    return [ok("orchestrator", f"{part.component.name} runs steps on this machine")]


def _not_examined(part: Part) -> list[Finding]:
    component = part.component
    kind = component.type.replace("_", " ")
    return [warning(kind, f"{component.name} is of the flavor {component.flavor!r}, which is not examined here.")]


COMPONENTS: Mapping[tuple[str, str], Callable[[Part], list[Finding]]] = {
    ("orchestrator", "local"): _on_this_machine,
    ("artifact_store", "local"): _store_in_folder,
    ("artifact_store", "s3"): _store_in_bucket,
    ("experiment_tracker", "mlflow"): _tracker,
}
