"""What a use case releases, as a device has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discern.reports.candidate_page import asked_classes
from edge_runtime.core.identify import Identifier
from edge_runtime.device.home import Home
from edge_runtime.device.updates import pull
from tests.e2e.conftest import PIPELINES, Workplace


def released(workplace: Workplace, changes: Mapping[str, Any], channel: str) -> Identifier:
    """Run the three pipelines, and pull what they release; `changes` replace parameters of a pipeline's config."""
    workplace.folder.mkdir()
    for name in PIPELINES:
        workplace.run(name, **changes.get(name, {}))
    device = workplace.folder / "device"
    pull(str(workplace.home / "releases"), device, channel, trusted_root=workplace.home / "keys" / "root.json")
    release = Home(device).open_current()
    assert release.id == workplace.output("training", "release_candidate").id
    return Identifier(release)


def check_classes(identifier: Identifier, workplace: Workplace, classes: int) -> None:
    """Every class is on the device, held out or not, and the page says what was measured on which."""
    version = workplace.output("data", "dataset_version")
    held_out = set(version.labels) - set(version.select(role="gallery").labels)
    assert held_out
    assert set(identifier.release.labels) == set(version.labels)
    trained, asked = version.select(split="train").labels, version.select(split="test", role="query").labels
    counts = identifier.release.manifest.counts.model_dump()
    assert counts["classes"] == classes
    assert counts["trained_classes"] == len(trained) < classes
    assert counts["classes_measured_as_known"] == len(set(asked) - held_out)
    assert counts["classes_measured_as_unknown"] == len(asked), "of the known ones every query is asked both ways"
    sentence = asked_classes(identifier.release)
    assert sentence.startswith(f"{classes} classes are enrolled, {len(trained)} of them in the training split; ")
    assert sentence in workplace.output("training", "candidate_pictures")
