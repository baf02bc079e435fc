"""Runs start from artifacts of the active store, of their own use case, and of the newest run that fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from discern.datasets.splits.assign import SplitConfig
from discern.errors import ConfigError
from orchestration.artifact_lookup import earlier, newest_input, newest_output, plain, runs, version_before
from orchestration.lineage import load_input
from orchestration.version_names import of_use_case
from tests.orchestration.toy_pipelines import artifact, run_data, run_training

pytestmark = pytest.mark.usefixtures("local_stack")
USE_CASE = "looked-up"


@dataclass(frozen=True)
class History:
    """Runs of the data pipeline of one use case in their order, and of another use case in between."""

    first: Any
    again: Any
    more: Any
    other_splits: Any
    failed: Any
    newest: Any


@pytest.fixture(scope="module")
def history(zenml_database: Path) -> Iterator[History]:
    from zenml.client import Client

    client = Client()
    before = client.active_stack_model.id
    client.activate_stack("local")
    first, again = run_data(USE_CASE, "1"), run_data(USE_CASE, "1")
    run_training(USE_CASE)
    more = run_data(USE_CASE, "2")
    other_splits = run_data(USE_CASE, "2", seed=1)
    failed = run_data(USE_CASE, "3", passes=False)
    newest = run_data(USE_CASE, "4", tags=["nightly"])
    run_data(f"{USE_CASE}-other", "5")
    yield History(first, again, more, other_splits, failed, newest)
    client.activate_stack(before)


def grown_from(run: Any) -> str:
    """The id of the artifact that a run grew from; empty where there was none."""
    return str(artifact(run, "previous_version", "previous_version").load())


def ingested(run: Any) -> str:
    return str(artifact(run, "ingest", "ingested").id)


def checked(run: Any) -> Any:
    return artifact(run, "gate", "dataset_version")


def test_runs_gives_one_use_cases_runs_newest_first(history: History) -> None:
    completed = [history.newest, history.other_splits, history.more, history.again, history.first]
    assert [run.id for run in runs("data_pipeline", USE_CASE)] == [run.id for run in completed]
    assert not list(runs("data_pipeline", USE_CASE[:-1], status=None)), "a tag is a whole word"
    assert not list(runs("promotion_pipeline", USE_CASE, status=None))


def test_runs_gives_failed_ones_too_and_goes_on_behind_a_page(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.artifact_lookup.PAGE", 2)
    ids = [run.id for run in runs("data_pipeline", USE_CASE, status=None)]
    assert len(ids) == 6
    assert ids[1] == history.failed.id


def test_of_use_case_gives_each_version_once_with_all_its_artifacts(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.version_names.PAGE", 2)
    records = of_use_case(USE_CASE)
    assert [record.artifact.load().rpartition(" ")[2] for record in records] == ["4", "3", "2", "2", "1"]
    assert [len(record.checked) for record in records] == [1, 0, 1, 1, 1]


def test_newest_output_is_of_the_newest_completed_run_of_the_use_case(history: History) -> None:
    assert newest_output("data_pipeline", "dataset_version", USE_CASE).id == checked(history.newest).id
    assert newest_output("data_pipeline", "ingested", USE_CASE).id == UUID(ingested(history.newest))
    with pytest.raises(ConfigError, match=r"holds no 'nothing' of a completed data_pipeline of 'looked-up'"):
        newest_output("data_pipeline", "nothing", USE_CASE)


def test_newest_output_may_be_asked_of_a_run_with_certain_parameters(history: History) -> None:
    """Two people who run a pipeline at once each find their own."""
    found = newest_output("data_pipeline", "dataset_version", USE_CASE, {"now": "2", "splits": {"seed": 0}})
    assert found.id == checked(history.more).id
    with pytest.raises(ConfigError, match="holds no 'dataset_version'"):
        newest_output("data_pipeline", "dataset_version", USE_CASE, {"now": "none"})


def test_newest_input_is_what_the_step_of_the_newest_run_took_in(history: History) -> None:
    dataset = newest_input("training_pipeline", "assemble", "dataset", USE_CASE)
    assert dataset.id == checked(history.first).id == checked(history.again).id
    with pytest.raises(ConfigError, match="holds no 'other'"):
        newest_input("training_pipeline", "assemble", "other", USE_CASE)


def test_an_artifact_of_another_store_does_not_count(history: History) -> None:
    from zenml.client import Client

    Client().activate_stack("default")
    look_ups: list[Callable[[], Any]] = [
        lambda: newest_output("data_pipeline", "dataset_version", USE_CASE),
        lambda: newest_input("training_pipeline", "assemble", "dataset", USE_CASE),
    ]
    for look_up in look_ups:
        with pytest.raises(ConfigError, match=r"stack 'default' holds no .* of 'looked-up': run `discern"):
            look_up()
    assert of_use_case(USE_CASE) == []
    assert version_before(USE_CASE, {"splits": {}}, "1") is None


def test_earlier_finds_an_artifact_by_number_and_by_id(history: History) -> None:
    version = checked(history.first)
    assert earlier("dataset_version", str(version.version)).id == version.id
    assert earlier("dataset_version", str(version.id)).id == version.id
    with pytest.raises(ConfigError, match=r"no version '9999' of the artifact 'dataset_version': `zenml artifact"):
        earlier("dataset_version", "9999")
    with pytest.raises(ConfigError, match="There is no version"):
        earlier("dataset_version", str(uuid4()))
    with pytest.raises(ConfigError, match=r"is no 'teacher' in the artifact store of the stack 'local': set the stack"):
        earlier("teacher", str(version.id))


def test_a_repeated_run_grows_from_what_the_first_grew_from_and_is_cached(history: History) -> None:
    assert grown_from(history.first) == grown_from(history.again) == ""
    assert history.again.steps["ingest"].status.value == "cached"


def test_a_version_grows_from_the_newest_checked_or_not(history: History) -> None:
    assert grown_from(history.more) == ingested(history.first)
    assert grown_from(history.other_splits) == ingested(history.more)
    assert grown_from(history.newest) == ingested(history.failed)


def test_a_version_that_was_split_in_the_same_way_comes_before_a_newer_one(history: History) -> None:
    assert grown_from(history.failed) == ingested(history.more)


@pytest.mark.parametrize(
    ("source", "seed", "fingerprint", "expected"),
    [
        ("photos", 0, "4", "failed"),  # the very same as the newest run's
        ("photos", 0, "5", "newest"),
        ("other", 0, "4", "newest"),
        ("photos", 1, "4", "other_splits"),
        ("photos", 2, "4", "newest"),
    ],
)
def test_version_before_asks_for_source_splits_and_fingerprint(
    history: History, source: str, seed: int, fingerprint: str, expected: str
) -> None:
    parameters = {"source": {"path": source}, "splits": {"seed": seed}}
    assert str(version_before(USE_CASE, parameters, fingerprint)) == ingested(getattr(history, expected))


def test_plain_turns_models_into_what_zenml_keeps() -> None:
    assert plain({"splits": SplitConfig(seed=3), "source": {"a": 1}})["splits"]["seed"] == 3


def test_load_input_loads_by_id_and_nothing_for_none(history: History) -> None:
    assert load_input(str(checked(history.first).id)) == checked(history.first).load()
    assert load_input("") is None
