"""The figures of a release as its pages show them: name, meaning, value, and the 95 % interval where it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.confidence import Rate, class_rate
from discern.evaluation.metrics import Metrics
from discern.evaluation.retrieval import SearchResults
from discern.reports.summary import Verdict
from edge_runtime.core.release import Release

NOT_COMPUTED, NOT_STATED = "not computed", "not stated"
OVER_CLASSES = "95 % over classes"
# Figure -> (name, meaning). The words are the glossary's.
FIGURES = {
    "recall_at_1": ("recall@1", "Queries of enrolled classes whose nearest class is the right one."),
    "map_at_r": ("MAP@R", "How far up the gallery photos of the right class stand in the ranking; 1 is perfect."),
    "tpir": ("TPIR", "True-positive identification rate: queries of enrolled classes that get the right name."),
    "tnir": ("TNIR", "Unknown queries that are refused. The rest, FPIR, get a name, which is always wrong."),
    "left_out_tnir": ("TNIR, left out", "The same for enrolled classes that are asked as if they were not enrolled."),
    "elsewhere_tnir": ("TNIR, elsewhere", "Photos of other things, from elsewhere, that are refused."),
    "accuracy": ("accuracy", "All queries answered right; for an unknown query, unknown is right."),
    "latency_ms": ("latency", "95 % of identifications take at most this, on one thread of the machine that compared."),
    "size_mb": ("size", "All files of the release."),
    "unseen_recall_at_1": ("recall@1, unseen", "The same for classes that the model never trained on."),
    "unseen_tpir": ("TPIR, unseen", "The same for classes that the model never trained on."),
    "auroc": ("AUROC", "How well the best score tells enrolled from unknown queries: 0.5 is chance, 1 is perfect."),
    "joint_auroc": ("AUROC, joint", "The same of the stated probability, which is made of score and margin."),
    "precision": ("precision", "Right answers among all answers with a name, mean over classes."),
    "recall": ("recall", "Right answers among all queries of a class, mean over classes."),
    "expected_calibration_error": (
        "expected calibration error",
        "Mean distance between the stated probability and the share that is right; 0 is perfect.",
    ),
    "brier_score": ("Brier score", "Mean squared distance between stated probability and outcome; 0 is perfect."),
    "validation_fpir": (
        "FPIR, validation",
        "Validation unknowns that get a name, by rules that saw none of their class.",
    ),
    "validation_tpir": ("TPIR, validation", "Validation queries that get the right name by such rules."),
    "enrolled_queries": ("enrolled queries", "Queries of classes that are in the gallery."),
    "unseen_queries": ("unseen queries", "Enrolled queries of classes that the model never trained on."),
    "unknown_queries": ("unknown queries", "Queries of classes that are not in the gallery."),
    "gallery_classes": ("gallery classes", "Classes that are enrolled."),
    "represent": ("gallery rows", "Exemplars: a row for each photo. Prototype: a row for each class, their mean."),
}
RATES = ("recall_at_1", "tpir", "tnir", "accuracy")
VALIDATION = ("validation_fpir", "validation_tpir")


@dataclass(frozen=True)
class Head:
    """The verdict of a page: what a reader has to know first."""

    kind: Verdict
    word: str
    reason: str


@dataclass(frozen=True)
class Value:
    """A figure of one release.

    Attributes:
        text: as it is shown.
        rate: the share with its interval; None where no interval is known.
        note: what stands beside it; may be empty.
    """

    text: str
    rate: Rate | None = None
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the release that a page is about, beside the one in production.

    Attributes:
        name: for people.
        meaning: one line.
        value: of the page's release.
        production: None where there is no such release.
    """

    name: str
    meaning: str
    value: Value
    production: Value | None


@dataclass(frozen=True)
class Evaluated:
    """One release on the test queries.

    Attributes:
        release: what answered.
        results: the nearest classes.
        answers: [q] number of the answered class, or -1 for `unknown`.
        metrics: of these answers.
        latency_ms: None where it was not measured.
    """

    release: Release
    results: SearchResults
    answers: NDArray[np.int64]
    metrics: Metrics
    latency_ms: float | None = None

    @property
    def size_mb(self) -> float:
        """All files of the release, MB."""
        return self.release.manifest.total_bytes / 1e6


def figures(names: Sequence[str], evaluated: Evaluated, production: Evaluated | None = None) -> list[Figure]:
    """Return the named figures of a release, beside those of production where there is one."""
    return [
        Figure(*FIGURES[name], _value(name, evaluated), None if production is None else _value(name, production))
        for name in names
    ]


def further_figures(metrics: Metrics, shown: Sequence[str]) -> list[str]:
    """Name the figures that are not among `shown`; without those of unseen classes where all classes are unseen."""
    names = [*Metrics.model_fields, *VALIDATION, "represent"]
    if metrics.unseen_queries == metrics.enrolled_queries:
        names = [name for name in names if name not in {"unseen_recall_at_1", "unseen_tpir"}]
    return [name for name in names if name not in shown]


def percent(share: float) -> str:
    """Write a probability in per cent; never as certain, since none is."""
    whole = round(share * 100)
    number = "over 99" if whole >= 100 else "under 1" if whole <= 0 else str(whole)
    return f"{number}\N{NO-BREAK SPACE}%"


def _value(name: str, evaluated: Evaluated) -> Value:
    if name in RATES:
        return _rate(_class_rate(name, evaluated))
    if name in VALIDATION:
        return _validation(evaluated.release, name)
    if name in OTHERS:
        return Value(OTHERS[name](evaluated))
    value = getattr(evaluated.metrics, name)
    if value is None:
        return Value(NOT_COMPUTED)
    return Value(f"{value:.3f}" if isinstance(value, float) else f"{value:,}")


def _class_rate(name: str, evaluated: Evaluated) -> Rate | None:
    """Return a share of queries with its interval over classes."""
    results = evaluated.results
    right = evaluated.answers == results.truth
    among = {"accuracy": np.ones_like(right), "tnir": ~results.enrolled}.get(name, results.enrolled)
    hits = results.retrieved if name == "recall_at_1" else right
    return class_rate(hits[among], np.array(results.query_labels)[among].tolist())


def _rate(rate: Rate | None) -> Value:
    if rate is None:
        return Value(NOT_COMPUTED)
    interval = f"{OVER_CLASSES}: {rate.low:.3f} to {rate.high:.3f}"
    return Value(f"{rate.value:.3f}", rate, f"{interval}, {rate.queries:,} queries")


def _validation(release: Release, name: str) -> Value:
    """Return a rate on the queries that the rule is fitted on, as the release itself states it."""
    stated = release.manifest.metrics
    keys = [f"{name}{ending}" for ending in ("", "_low", "_high")]
    if not stated.keys() >= set(keys):
        return Value(NOT_STATED)
    value, low, high = (stated[key] for key in keys)
    return Value(f"{value:.3f}", note=f"{OVER_CLASSES}: {low:.3f} to {high:.3f}")


def _latency(evaluated: Evaluated) -> str:
    return "not measured" if evaluated.latency_ms is None else f"{evaluated.latency_ms:.1f} ms"


OTHERS: dict[str, Callable[[Evaluated], str]] = {
    "latency_ms": _latency,
    "size_mb": lambda evaluated: f"{evaluated.size_mb:.1f} MB",
    "represent": lambda evaluated: evaluated.release.manifest.represent or NOT_STATED,
}
