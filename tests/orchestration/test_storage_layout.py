"""Every address follows from the active stack."""

from __future__ import annotations

from pathlib import Path

import pytest
from zenml.client import Client

from discern.errors import ConfigError
from orchestration import storage_layout


def test_addresses_lie_beside_the_artifact_store(local_stack: Path) -> None:
    assert storage_layout.root() == str(local_stack)
    assert storage_layout.shards() == f"{local_stack}/datasets/shards"
    assert storage_layout.releases() == f"{local_stack}/releases"
    assert storage_layout.enrolments("parts") == f"{local_stack}/enrolments/parts"
    assert storage_layout.reports() == f"{local_stack}/reports"
    assert storage_layout.checkpoint("ab12") == f"{local_stack}/checkpoints/ab12.pt"


def test_keys_lie_there_too_unless_a_config_names_another_address(local_stack: Path) -> None:
    assert storage_layout.keys() == f"{local_stack}/keys"
    assert storage_layout.keys("s3://shop/keys") == "s3://shop/keys"


def test_a_stack_of_another_making_is_refused(local_stack: Path) -> None:
    Client().activate_stack("default")
    with pytest.raises(ConfigError, match=r"active stack 'default' keeps its artifacts in .*`discern stack apply"):
        storage_layout.root()
