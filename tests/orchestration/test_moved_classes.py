"""Artifacts of earlier code load: their classes are found by the paths of then, and their JSON is understood."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from zenml.artifacts.utils import _load_artifact_from_uri
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.utils import source_utils

from discern.evaluation.gates import PromotionDecision
from discern.evaluation.metrics import Metrics
from discern.quality.checks.model import CheckReport
from orchestration.moved_classes import MOVED, MovedModules, install
from orchestration.publishing import Publication
from steps.data.ingest import RejectedPhotos

JSON_OF_THEN = Path(__file__).parent / "stored_artifacts.json"
PYDANTIC = "zenml.materializers.pydantic_materializer.PydanticMaterializer"
# Every class that a step of ours has ever given out, as ZenML recorded it in November 2026, with its materializer.
STORED = {
    "discern.data.manifest.DatasetVersion": "steps.materializers.DatasetVersionMaterializer",
    "steps.data.ingest.RejectedPhotos": PYDANTIC,
    "discern.data.checks.model.CheckReport": PYDANTIC,
    "discern.learning.models.EmbeddingModel": "steps.materializers.EmbeddingModelMaterializer",
    "edge_runtime.release.Release": "steps.materializers.ReleaseMaterializer",
    "discern.evaluation.metrics.Metrics": PYDANTIC,
    "discern.evaluation.comparison.Verdict": PYDANTIC,
    "steps.promotion.publish.Publication": PYDANTIC,
    "orchestration.publishing.Publication": PYDANTIC,
}


@pytest.mark.parametrize("path", STORED)
def test_a_stored_class_is_found_by_its_path_of_then(path: str) -> None:
    assert isinstance(source_utils.load(path), type)


@pytest.mark.parametrize(("path", "materializer"), [(path, name) for path, name in STORED.items() if name != PYDANTIC])
def test_its_materializer_of_then_is_found_and_loads_that_class(path: str, materializer: str) -> None:
    loaded = source_utils.load_and_validate_class(materializer, expected_class=BaseMaterializer)
    loaded("").validate_load_type_compatibility(source_utils.load(path))


def test_only_modules_that_exist_no_more_are_in_the_table() -> None:
    finders = [finder for finder in sys.meta_path if not isinstance(finder, MovedModules)]
    for path in MOVED:
        module, package = path.rpartition(".")[0], path.rpartition(".")[0].rpartition(".")[0]
        folders = getattr(importlib.import_module(package), "__path__", [])
        assert all(finder.find_spec(module, folders) is None for finder in finders), path


def test_other_modules_and_names_are_still_missing() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("discern.data.nothing")
    with pytest.raises(AttributeError, match=r"'discern\.data\.manifest' has no attribute 'Nothing'"):
        importlib.import_module("discern.data.manifest").Nothing  # noqa: B018


def test_installing_again_adds_nothing() -> None:
    before = list(sys.meta_path)
    install()
    assert sys.meta_path == before


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in the active artifact store: materializers read nowhere else."""
    import shutil
    import tempfile

    from zenml.client import Client

    root = Path(Client().active_stack.artifact_store.path)
    root.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=root))
    yield path
    shutil.rmtree(path)


def load(folder: Path, path: str) -> Any:
    """Load the stored JSON of the class `path` as ZenML does."""
    (folder / "data_v2.json").write_text(json.dumps(json.loads(JSON_OF_THEN.read_text())[path]))
    return _load_artifact_from_uri(PYDANTIC, path, str(folder))


def test_stored_figures_load_under_their_names_of_today(folder: Path) -> None:
    metrics = load(folder, "discern.evaluation.metrics.Metrics")
    assert isinstance(metrics, Metrics)
    assert (metrics.tpir, metrics.unseen_tpir, metrics.tnir, metrics.unknown_queries) == (0.9, 0.8, 0.92, 150)


def test_a_stored_verdict_loads_with_the_figures_inside(folder: Path) -> None:
    decision = load(folder, "discern.evaluation.comparison.Verdict")
    assert isinstance(decision, PromotionDecision)
    assert decision.candidate is not None
    assert decision.candidate.tnir == 0.92
    assert decision.gates[0].name == "stranger refusal"


def test_a_stored_check_report_loads_with_its_checks_renamed(folder: Path) -> None:
    report = load(folder, "discern.data.checks.model.CheckReport")
    assert isinstance(report, CheckReport)
    assert [condition.check for condition in report.conditions] == ["left_out", "unknowns"]


def test_what_kept_its_fields_loads(folder: Path) -> None:
    rejected = load(folder, "steps.data.ingest.RejectedPhotos")
    assert isinstance(rejected, RejectedPhotos)
    assert (rejected.photos[0].name, rejected.photos[0].kind) == ("a/1.jpg", "broken")
    publication = load(folder, "steps.promotion.publish.Publication")
    assert isinstance(publication, Publication)
    assert publication.channel == "production"
