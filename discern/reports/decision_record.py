"""The record of a decision, for programs and for reading without a browser: JSON and Markdown beside the page."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict

from discern.evaluation.gates import GateResult
from discern.evaluation.retrieval import UNKNOWN, SearchResults
from discern.evaluation.significance import Interval
from discern.releases.comparison import ReleaseComparison, ReleaseEvaluation
from discern.words import counted
from edge_runtime.core.release import Release

ID_DIGITS = 12
UNKNOWN_NAME = "unknown"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassFigures(_Frozen):
    """One class on the test set.

    Attributes:
        label: of the class.
        queries: queries of it that were asked as enrolled.
        recall: share of these that got its name; of the candidate.
        precision: share of right answers among all answers with its name; None where there is no such answer.
        production_recall: the same of production; None where there is none.
        production_precision: likewise.
    """

    label: str
    queries: int
    recall: float | None
    precision: float | None
    production_recall: float | None = None
    production_precision: float | None = None


class Confusion(_Frozen):
    """Queries of one class that got another name, or of an unknown that got any.

    Attributes:
        truth: the true class; `unknown` for a query whose class was not in the gallery.
        answered: the name that they got.
        candidate: how many, by the candidate.
        production: how many, by production; None where there is none.
    """

    truth: str
    answered: str
    candidate: int
    production: int | None = None


class ChangedAnswer(_Frozen):
    """A query that the two answer differently.

    Attributes:
        photo: its name in the dataset version.
        sha256: of its bytes.
        truth: the true class; `unknown` where it was asked as not enrolled.
        candidate: the candidate's answer.
        production: production's answer.
    """

    photo: str
    sha256: str
    truth: str
    candidate: str
    production: str


class DecisionRecord(_Frozen):
    """One decision; it is written once and never changed."""

    format: Literal[1] = 1
    made: AwareDatetime
    use_case: str
    candidate: str
    production: str | None
    past: tuple[str, ...] = ()
    dataset_version: str
    test_set: str
    queries: int
    outcome: str
    reason: str
    gates: tuple[GateResult, ...]
    differences: dict[str, Interval]
    figures: dict[str, float]
    production_figures: dict[str, float] | None
    classes: tuple[ClassFigures, ...]
    confusions: tuple[Confusion, ...]
    changed: tuple[ChangedAnswer, ...]

    @property
    def id(self) -> str:
        """12 hex digits that no other decision has."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:ID_DIGITS]


def record_of(
    comparison: ReleaseComparison,
    candidate: Release,
    production: Release | None,
    dataset_version: str,
    made: datetime,
    past: tuple[str, ...] = (),
) -> DecisionRecord:
    """Write down a comparison.

    Args:
        comparison: the decision and what it rests on.
        candidate: the release that was judged.
        production: the release that it was compared with, if any.
        dataset_version: id of the version whose test queries were asked.
        made: when.
        past: ids of the releases of the past that it was compared with.
    """
    decision, new, old = comparison.decision, comparison.candidate, comparison.production
    return DecisionRecord(
        made=made,
        use_case=candidate.manifest.name,
        candidate=candidate.id,
        production=None if production is None else production.id,
        past=past,
        dataset_version=dataset_version,
        test_set=comparison.test_set,
        queries=len(new.answers.truth),
        outcome=decision.outcome,
        reason=decision.reason,
        gates=decision.gates,
        differences=decision.differences,
        figures=_figures(new),
        production_figures=None if old is None else _figures(old),
        classes=class_figures(new, old),
        confusions=confusions(new, old),
        changed=() if old is None else _changed(new, old),
    )


def class_figures(new: ReleaseEvaluation, old: ReleaseEvaluation | None) -> tuple[ClassFigures, ...]:
    """Return recall and precision of each class that was asked as enrolled, by label."""
    truth, labels = new.answers.truth, new.results.labels
    queries = np.bincount(truth[truth != UNKNOWN], minlength=len(labels))
    recall, precision = _by_class(new, len(labels))
    old_recall, old_precision = (None, None) if old is None else _by_class(old, len(labels))
    return tuple(
        ClassFigures(
            label=labels[number],
            queries=int(queries[number]),
            recall=_known(recall, number),
            precision=_known(precision, number),
            production_recall=_known(old_recall, number),
            production_precision=_known(old_precision, number),
        )
        for number in np.flatnonzero(queries).tolist()
    )


def confusions(new: ReleaseEvaluation, old: ReleaseEvaluation | None) -> tuple[Confusion, ...]:
    """Return the pairs of a true class and a wrong name, those that the candidate gives most often first."""
    counts = _wrong_names(new)
    before = None if old is None else _wrong_names(old)
    pairs = counts | (before or Counter())
    listed = [
        Confusion(
            truth=truth, answered=answered, candidate=counts[pair], production=None if before is None else before[pair]
        )
        for pair in pairs
        for truth, answered in [pair]
    ]
    return tuple(sorted(listed, key=lambda one: (-one.candidate, -(one.production or 0), one.truth, one.answered)))


def markdown(record: DecisionRecord) -> str:
    """Write the record as Markdown."""
    against = f" against {record.production}" if record.production else ""
    asked = f"{counted(record.queries, 'query', 'queries')} of test set {record.test_set}"
    lines = [
        f"# {record.use_case}: {record.candidate}{against}",
        "",
        f"**{record.outcome.capitalize()}**: {record.reason}",
        "",
        f"Decision {record.id} of {record.made:%Y-%m-%d %H:%M %Z}, on {asked}, dataset version "
        f"{record.dataset_version}.",
        "",
        "| gate | result | measured |",
        "| --- | --- | --- |",
        *(f"| {gate.name} | {result_word(gate)} | {_cell(gate.detail)} |" for gate in record.gates),
    ]
    if record.differences:
        lines += ["", "| figure | difference | 95 % interval |", "| --- | --- | --- |"]
        lines += [
            f"| {name} | {one.difference:+.4f} | [{one.low:+.4f}, {one.high:+.4f}] |"
            for name, one in record.differences.items()
        ]
    if record.confusions:
        lines += ["", "| true class | answered | candidate | production |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {_cell(one.truth)} | {_cell(one.answered)} | {one.candidate} | "
            f"{'' if one.production is None else one.production} |"
            for one in record.confusions
        ]
    return "\n".join(lines) + "\n"


def result_word(gate: GateResult) -> str:
    """Return the result of a gate in a word or two."""
    if not gate.counts:
        return "told"
    if gate.passed:
        return "met"
    return "failed" if gate.told else "cannot be told"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _figures(evaluation: ReleaseEvaluation) -> dict[str, float]:
    answers = evaluation.answers
    cost = {
        "latency_p95_ms": answers.latency_ms,
        "latency_p50_ms": answers.median_latency_ms,
        "size_mb": answers.size_mb,
        "memory_mb": answers.memory_mb,
    }
    return answers.metrics.figures() | {name: value for name, value in cost.items() if value is not None}


def _by_class(evaluation: ReleaseEvaluation, classes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return recall and precision [classes]; not a number where there is no query, or no answer."""
    truth, answered = evaluation.answers.truth, evaluation.answers.answered
    hits = np.bincount(truth[(truth == answered) & (truth != UNKNOWN)], minlength=classes)
    asked = np.bincount(truth[truth != UNKNOWN], minlength=classes)
    named = np.bincount(answered[answered != UNKNOWN], minlength=classes)
    with np.errstate(invalid="ignore"):
        return hits / asked, hits / named


def _known(values: NDArray[np.float64] | None, number: int) -> float | None:
    if values is None or not np.isfinite(values[number]):
        return None
    return float(values[number])


def _wrong_names(evaluation: ReleaseEvaluation) -> Counter[tuple[str, str]]:
    answers, names = evaluation.answers, _names(evaluation.results)
    wrong = (answers.answered != answers.truth) & (answers.answered != UNKNOWN)
    pairs = zip(answers.truth[wrong].tolist(), answers.answered[wrong].tolist(), strict=True)
    return Counter((names[truth], names[answered]) for truth, answered in pairs)


def _names(results: SearchResults) -> tuple[str, ...]:
    return (*results.labels, UNKNOWN_NAME)  # -1 is the last one


def _changed(new: ReleaseEvaluation, old: ReleaseEvaluation) -> tuple[ChangedAnswer, ...]:
    names = _names(new.results)
    rows = np.flatnonzero(new.answers.answered != old.answers.answered).tolist()
    sources, hashes = new.queries.column("source"), new.queries.column("sha256")
    return tuple(
        ChangedAnswer(
            photo=sources[row],
            sha256=hashes[row],
            truth=names[new.answers.truth[row]],
            candidate=names[new.answers.answered[row]],
            production=names[old.answers.answered[row]],
        )
        for row in rows
    )
