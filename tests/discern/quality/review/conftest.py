from __future__ import annotations

import pytest

from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.quality.checks import CheckConfig, Checked, check_version
from tests.discern.pictures import photos


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    """Twelve classes of nine photos of 24 pixels; not to be changed."""
    return write_version(photos(12, 9), str(tmp_path_factory.mktemp("shards")))[0]


@pytest.fixture(scope="session")
def checked(version: DatasetVersion) -> Checked:
    """Its checks, all met."""
    return check_version(version, CheckConfig(min_side=24))
