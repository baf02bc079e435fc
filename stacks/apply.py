"""Bring the stacks that ZenML knows to what the files here say: create, update, or leave alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from zenml.client import Client
from zenml.enums import StackComponentType

from stacks.spec import Component, StackSpec

Change = Literal["created", "updated", "unchanged"]


def apply(spec: StackSpec) -> Change:
    """Create or update the stack `spec` and its components; a second call changes nothing."""
    client = Client()
    changes: list[Change] = []
    members: dict[StackComponentType, Any] = {}
    for kind, components in spec.components.items():
        component_type = StackComponentType(kind)
        for component in components:
            identifier, change = _apply_component(client, component_type, component)
            members[component_type] = identifier
            changes.append(change)
    changes.append(_apply_stack(client, spec.stack_name, members))
    if changes[-1] == "created":
        return "created"
    return "unchanged" if set(changes) == {"unchanged"} else "updated"


def differences(spec: StackSpec) -> list[str]:
    """Return in words what ZenML knows otherwise than `spec` says; nothing is changed."""
    client = Client()
    stacks = client.list_stacks(name=spec.stack_name, hydrate=True).items
    if not stacks:
        return ["ZenML knows no such stack"]
    differing = []
    for kind, wanted in ((kind, component) for kind, members in spec.components.items() for component in members):
        current = {component.name: component for component in stacks[0].components.get(StackComponentType(kind), [])}
        if wanted.name not in current:
            differing.append(f"its {kind} is {' and '.join(current) or 'missing'} instead of {wanted.name}")
        elif unequal := _unequal(current[wanted.name].configuration, wanted):
            differing.append(f"{wanted.name} has another {' and '.join(unequal)}")
    return differing


def _unequal(configuration: dict[str, Any], wanted: Component) -> list[str]:
    """Return the settings of a component that are not as they are wanted."""
    return [key for key, value in wanted.configuration.items() if configuration.get(key) != value]


def activate_if_default(name: str) -> None:
    """Make `name` the active stack unless a person has chosen one already."""
    client = Client()
    if client.active_stack_model.name == "default":
        client.activate_stack(name)


def initialise_repository() -> None:
    """Make the folder where ZenML keeps which stack is active; it lies under DISCERN_HOME, not among the sources."""
    home = Path(os.environ["DISCERN_HOME"])
    for folder in ("zenml", "mlflow"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    if Client.find_repository(home, enable_warnings=False) != home:
        Client.initialize(root=home)
    # The client may be older than the folder: without this it would keep the choice elsewhere.
    Client().activate_root(home)


def _apply_component(client: Client, kind: StackComponentType, wanted: Component) -> tuple[Any, Change]:
    found = client.list_stack_components(type=kind, name=wanted.name, hydrate=True).items
    if not found:
        created = client.create_stack_component(
            name=wanted.name, flavor=wanted.flavor, component_type=kind, configuration=wanted.configuration
        )
        return created.id, "created"
    current = found[0]
    if not _unequal(current.configuration, wanted):
        return current.id, "unchanged"
    client.update_stack_component(current.id, kind, configuration=wanted.configuration)
    return current.id, "updated"


def _apply_stack(client: Client, name: str, members: dict[StackComponentType, Any]) -> Change:
    found = client.list_stacks(name=name, hydrate=True).items
    if not found:
        client.create_stack(name=name, components=members)
        return "created"
    have = {kind: [component.id for component in components] for kind, components in found[0].components.items()}
    if all(have.get(kind) == [identifier] for kind, identifier in members.items()):
        return "unchanged"
    client.update_stack(found[0].id, component_updates={kind: [identifier] for kind, identifier in members.items()})
    return "updated"
