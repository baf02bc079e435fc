"""Which steps a pipeline runs, in which order; wiring a run reads neither photos nor weights nor repositories."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from zenml.steps import BaseStep

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.splits.config import SplitConfig
from discern.errors import ConfigError
from orchestration import storage_layout
from orchestration.checked_pipeline import CheckedPipeline
from pipelines.data import data_pipeline
from pipelines.promotion import promotion_pipeline
from pipelines.training import training_pipeline
from tests.discern.sources.enrolled.ledgers import Enrolments
from tests.orchestration.toy_pipelines import run_data, run_training

USE_CASE = "wired"
MODEL = {"model": {"backbone": "resnet10t", "weights": "s3://nobody-made-this/weights.pt"}, "steps": 1}

CHILD = """
import importlib, sys
from discern.errors import ConfigError
for name in ("data", "training", "promotion"):
    pipeline = getattr(importlib.import_module(f"pipelines.{name}"), f"{name}_pipeline")
    try:
        pipeline.with_options(config_path=f"{sys.argv[1]}/{name}.yaml")
    except ConfigError as error:
        assert "use_cse" in str(error)
slow = ("torch", "timm", "scipy.stats", "sklearn", "deepchecks", "zenml.zen_stores.sql_zen_store")
print(*[name for name in sys.modules if name in slow or name.startswith("steps.") and name.count(".") > 1])
"""


@pytest.fixture(scope="module")
def _earlier_runs(zenml_database: Path) -> None:
    """A version and a candidate of the use case, which the later pipelines start from."""
    from zenml.client import Client

    client = Client()
    before = client.active_stack_model.id
    client.activate_stack("local")
    run_data(USE_CASE)
    run_training(USE_CASE)
    client.activate_stack(before)


def wire(pipeline: CheckedPipeline, **parameters: Any) -> dict[str, set[str]]:
    """Run the pipeline's body alone; returns the steps that each step waits for."""
    copy = pipeline.copy()
    copy.prepare(use_case=USE_CASE, **parameters)
    return {name: set(invocation.upstream_steps) for name, invocation in copy.invocations.items()}


def data_parameters(**parameters: Any) -> dict[str, dict[str, Any]]:
    """Run the body of the data pipeline alone; returns the parameters of each step."""
    copy = data_pipeline.copy()
    copy.prepare(use_case="enrolled", source={"kind": "folder", "path": "/nothing/here"}, **parameters)
    return {name: invocation.parameters for name, invocation in copy.invocations.items()}


@pytest.mark.usefixtures("local_stack")
def test_what_was_enrolled_is_read_beside_the_source_though_the_config_does_not_say_so() -> None:
    before = data_parameters()
    own = {"kind": "folder", "path": "/nothing/here", "names": None, "split_folders": True, "encoding": None}
    assert before["ingest"] == {"source": own, "splits": SplitConfig(), "cleaning": CleaningConfig()}
    enrolments = Enrolments(Path(storage_layout.enrolments("enrolled")))
    enrolments.add([("nut", b"a")], is_published=False)
    assert data_parameters() == before
    enrolments.add([("nut", b"a")])
    after = data_parameters()
    source = {"own": own, "enrolments": enrolments.ledger.url}
    assert after["ingest"] == {**before["ingest"], "source": source}
    assert after["fingerprint_source"] == {"source": source}
    assert after["previous_version"]["parameters"]["source"] == source
    assert after["check"]["sources"] == [
        "folder /nothing/here",
        f"enrolled without training: {enrolments.ledger.url}",
    ]
    assert data_parameters(enrolments=False) == before


@pytest.mark.usefixtures("local_stack")
def test_the_data_pipeline_decides_in_steps_what_it_reads() -> None:
    assert wire(data_pipeline, source={"kind": "folder", "path": "/nothing/here"}) == {
        "fingerprint_source": set(),
        "previous_version": {"fingerprint_source"},
        "ingest": {"fingerprint_source", "previous_version"},
        "check": {"ingest", "previous_version"},
        "gate": {"ingest", "check"},
    }


@pytest.mark.usefixtures("local_stack", "_earlier_runs")
def test_the_training_pipeline_checks_all_before_anything_is_trained() -> None:
    steps = wire(training_pipeline, image={"size": 32}, teacher=MODEL, student=MODEL)
    assert steps["fingerprint_weights"] == set()
    assert steps["check"] == {"fingerprint_weights"}
    assert steps["teach"] == {"fingerprint_weights", "check"}
    assert steps["distil"] == {"fingerprint_weights", "check", "teach"}
    assert steps["assemble"] == {"distil"}
    assert steps["register"] == {"assemble"}
    assert steps["depict"] == {"assemble"}


@pytest.mark.usefixtures("local_stack", "_earlier_runs")
def test_without_a_teacher_a_model_is_released_as_its_weights_are() -> None:
    steps = wire(training_pipeline, image={"size": 32}, teacher="none", student={"model": MODEL["model"]})
    assert steps == {
        "fingerprint_weights": set(),
        "check": {"fingerprint_weights"},
        "embedder": {"fingerprint_weights", "check"},
        "assemble": {"embedder"},
        "register": {"assemble"},
        "depict": {"assemble"},
    }


def test_a_plan_that_does_not_hold_together_is_refused_before_a_step_is_planned() -> None:
    with pytest.raises(ConfigError, match="`student` says its `model` alone, and there is a teacher"):
        wire(training_pipeline, image={"size": 32}, teacher=MODEL, student={"model": MODEL["model"]})


@pytest.mark.usefixtures("local_stack", "_earlier_runs")
def test_without_a_teacher_a_student_learns_from_the_labels() -> None:
    steps = wire(training_pipeline, image={"size": 32}, teacher="none", student=MODEL)
    assert steps["distil"] == {"fingerprint_weights", "check"}
    assert not {"teach", "embedder"} & steps.keys()


@pytest.mark.usefixtures("local_stack", "_earlier_runs")
def test_the_promotion_pipeline_asks_the_repository_in_a_step() -> None:
    steps = wire(promotion_pipeline, keys="s3://nobody-made-this/keys")
    assert steps["production_release"] == set()
    (comparison,) = [name for name, waits_for in steps.items() if waits_for == {"production_release"}]
    assert steps["publish"] == {"production_release", comparison}


@pytest.mark.parametrize("pipeline", [data_pipeline, training_pipeline, promotion_pipeline])
def test_a_pipeline_says_truly_which_steps_it_has_and_whether_one_is_tracked(pipeline: CheckedPipeline) -> None:
    imported = [name for name in pipeline.entrypoint.__code__.co_names if name.startswith("steps.")]
    folder = pipeline.name.removesuffix("_pipeline")
    assert sorted(imported) == sorted(f"steps.{folder}.{name}" for name in pipeline.step_names)
    tracked = []
    for name in pipeline.step_names:
        step = getattr(importlib.import_module(f"steps.{folder}.{name}"), name)
        assert isinstance(step, BaseStep)
        assert step.name == name
        tracked.append(bool(step.configuration.experiment_tracker))
    assert any(tracked) == pipeline.is_tracked


@pytest.mark.slow
def test_a_config_is_checked_before_what_is_slow_to_import(tmp_path: Path) -> None:
    """In a process of its own: ZenML and the models of the configs are all that it takes."""
    for name in ("data", "training", "promotion"):
        (tmp_path / f"{name}.yaml").write_text("parameters: {use_cse: parts}")
    child = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False)
    assert child.stdout.split() == [], child.stderr
    assert child.returncode == 0, child.stderr
