from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.metrics import Metrics
from discern.releases.comparison import ReleaseComparison
from discern.reports.decision_record import DecisionRecord, class_figures, confusions, markdown, record_of
from edge_runtime.core.release import Release

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def record(
    comparison: ReleaseComparison, candidate: tuple[Release, Metrics], production: Release, toy_version: DatasetVersion
) -> DecisionRecord:
    return record_of(comparison, candidate[0], production, toy_version.id, NOON, past=("0123456789abcdef",))


def test_a_record_is_read_as_it_was_written_and_has_a_name_of_its_own(record: DecisionRecord) -> None:
    read = DecisionRecord.model_validate_json(record.model_dump_json(indent=1))
    assert read == record
    assert read.id == record.id
    assert record.model_copy(update={"made": NOON.replace(hour=13)}).id != record.id
    assert json.loads(record.model_dump_json())["outcome"] == record.outcome


def test_it_says_what_was_decided_on_which_queries(record: DecisionRecord, comparison: ReleaseComparison) -> None:
    assert record.gates == comparison.decision.gates
    assert record.test_set == comparison.test_set
    assert record.queries == len(comparison.candidate.answers.truth)
    assert record.figures["latency_p95_ms"] == comparison.candidate.answers.latency_ms
    assert record.production_figures is not None
    assert record.figures["accuracy"] != record.production_figures["accuracy"]
    assert record.figures["memory_mb"] > 20


def test_recall_and_precision_of_each_class_average_to_the_figures(comparison: ReleaseComparison) -> None:
    classes = class_figures(comparison.candidate, comparison.production)
    metrics = comparison.candidate.answers.metrics
    assert sum(one.queries for one in classes) == metrics.enrolled_queries
    assert np.mean([one.recall for one in classes if one.recall is not None]) == pytest.approx(metrics.recall)
    assert all(one.production_recall is not None for one in classes)


def test_confusions_are_the_wrong_names(comparison: ReleaseComparison) -> None:
    pairs = confusions(comparison.candidate, comparison.production)
    for evaluation, counts in (
        (comparison.candidate, [one.candidate for one in pairs]),
        (comparison.production, [one.production or 0 for one in pairs]),
    ):
        assert evaluation is not None
        answers = evaluation.answers
        assert sum(counts) == ((answers.answered >= 0) & ~answers.right).sum()
    assert [one.candidate for one in pairs] == sorted((one.candidate for one in pairs), reverse=True)
    assert all(one.production is None for one in confusions(comparison.candidate, None))


def test_every_changed_answer_is_listed_with_its_photo(record: DecisionRecord, comparison: ReleaseComparison) -> None:
    assert comparison.production is not None
    changed = comparison.candidate.answers.answered != comparison.production.answers.answered
    assert len(record.changed) == changed.sum() > 0
    assert all(one.candidate != one.production and len(one.sha256) == 64 for one in record.changed)


def test_the_markdown_says_the_same(record: DecisionRecord) -> None:
    text = markdown(record)
    assert text.startswith(f"# toy <pills>: {record.candidate} against {record.production}\n")
    assert f"**{record.outcome.capitalize()}**: {record.reason}" in text
    for gate in record.gates:
        assert f"| {gate.name} |" in text
    assert f"test set {record.test_set}" in text
    assert "| accuracy | " in text
