"""The promotion page: the decision and the gates that made it, the figures, every answer that is wrong or changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import PromotionDecision
from discern.evaluation.plots.retrieval_grid import worst_first
from discern.evaluation.retrieval import UNKNOWN
from discern.releases.comparison import ReleaseComparison, ReleaseEvaluation
from discern.reports.decision_record import UNKNOWN_NAME, Confusion, DecisionRecord
from discern.reports.figures import RATES, Evaluated, Figure, Head, figures, further_figures
from discern.reports.html import data_uri, render
from discern.reports.shown_answers import AnswerBook, Picture, ShownAnswer, class_pictures
from discern.reports.summary import PICTURES, Origin, PageSummary
from discern.reports.thumbnails import Thumbnails, class_photos
from edge_runtime.core.images import Pixels
from edge_runtime.core.release import Release

MOST = 60  # queries of a group, so that the page stays below 5 MB
MOST_PAIRS = 12
MAIN_FIGURES = (*RATES, "latency_ms", "size_mb")
LIMITS = {
    "least_recall_at_1": "recall@1, at least",
    "least_tpir": "TPIR, at least",
    "least_tnir": "TNIR, at least",
    "least_precision": "precision, at least",
    "least_classes": "classes of a comparison, at least",
    "least_queries": "queries of a comparison, at least",
    "worse_by": "accuracy, precision, recall and TPIR may lose",
    "class_loses": "a class may lose of its queries",
    "tnir_worse_by": "TNIR may lose",
    "latency_ratio": "latency over production's, at most",
    "latency_ms": "latency, at most, ms",
    "size_mb": "size, at most, MB",
    "memory_mb": "peak memory, at most, MB",
}


@dataclass(frozen=True)
class Limit:
    """A limit that lets more through than the default does."""

    name: str
    limit: str
    default: str


@dataclass(frozen=True)
class Ways:
    """Addresses of other pages, relative to the page; None for a page that stands alone.

    Attributes:
        index: of the page of all reports.
        data_page: of the review of the dataset version.
        training_page: of the page of the candidate's training.
    """

    index: str | None = None
    data_page: str | None = None
    training_page: str | None = None


@dataclass(frozen=True)
class ShownInterval:
    """A difference between candidate and production, drawn on a line; places are per cent of its length.

    Attributes:
        name: of the figure.
        text: the difference with its interval, points of 100.
        low: where the interval begins.
        high: where it ends.
        point: where the difference lies.
        allowed: where the largest allowed loss lies; None where no gate allows one.
    """

    name: str
    text: str
    low: float
    high: float
    point: float
    allowed: float | None


@dataclass(frozen=True)
class ShownConfusion:
    """Two classes that are taken for each other.

    Attributes:
        pair: true class, name that was given, and how often.
        truth: a picture of the true class; None where it was asked as unknown.
        answered: a picture of the other.
    """

    pair: Confusion
    truth: Picture | None
    answered: Picture


@dataclass(frozen=True)
class ShownQuery:
    """A query and the answers to it.

    Attributes:
        photo: of the query.
        truth: its true class.
        enrolled: whether that class is in the gallery.
        candidate: the answer of the candidate.
        production: the answer of production, where there is one.
    """

    photo: Picture
    truth: str
    enrolled: bool
    candidate: ShownAnswer
    production: ShownAnswer | None


@dataclass(frozen=True)
class Group:
    """Queries with one fate.

    Attributes:
        title: the fate.
        count: all queries of it.
        queries: those that are shown, worst first.
    """

    title: str
    count: int
    queries: list[ShownQuery]


def promotion_report(
    candidate: Release,
    production: Release | None,
    comparison: ReleaseComparison,
    version: DatasetVersion,
    record: DecisionRecord,
    *,
    origin: Origin | None = None,
    ways: Ways = Ways(),
) -> str:
    """Write the page as one HTML text that needs no network.

    Args:
        candidate: the release that is judged.
        production: the release that it is compared with, if any.
        comparison: the decision and what it rests on.
        version: the dataset version whose test queries are answered.
        record: of the decision.
        origin: which run compared them; None where the page does not say.
        ways: to other pages.
    """
    new, old = _evaluated(comparison, candidate, production)
    shown, further = _figures(new, old)
    picture_of = class_pictures(_photo_of(candidate, production, version))
    return render(
        "promotion.html",
        candidate=candidate,
        production=production,
        version=version.id,
        head=_head(comparison),
        gates=comparison.decision.gates,
        limits=_loosened(comparison),
        intervals=_intervals(comparison),
        record=record,
        figures=shown,
        further=further,
        confusions=_confusions(record, picture_of),
        groups=_groups(candidate, production, comparison, picture_of),
        queries=len(comparison.candidate.queries),
        origin=origin,
        index=ways.index,
        data_page=ways.data_page,
        training_page=ways.training_page,
    )


def empty_report(
    candidate: Release,
    decision: PromotionDecision,
    *,
    origin: Origin | None = None,
) -> str:
    """Write the page for a decision that needs no comparison; it stands alone."""
    return render(
        "promotion.html",
        candidate=candidate,
        production=None,
        version=None,
        head=Head("bad", "Not promoted", decision.reason),
        gates=decision.gates,
        limits=[],
        intervals=[],
        record=None,
        figures=[],
        further=[],
        confusions=[],
        groups=None,
        queries=0,
        origin=origin,
        index=None,
        data_page=None,
        training_page=None,
    )


def promotion_summary(
    candidate: Release,
    production: Release | None,
    comparison: ReleaseComparison,
    version: DatasetVersion,
    origin: Origin,
) -> PageSummary:
    """Return what the index says of the page; arguments as for `promotion_report`."""
    head = _head(comparison)
    new, old = _evaluated(comparison, candidate, production)
    picture_of, queries = Thumbnails().of, comparison.candidate.queries
    worst = islice((row for rows in _fates(candidate, comparison).values() for row in rows.tolist()), PICTURES)
    return PageSummary(
        kind="promotion",
        use_case=candidate.manifest.name,
        id=candidate.id,
        version=version.id,
        origin=origin,
        verdict=head.kind,
        word=head.word,
        reason=head.reason,
        figures={figure.name: _against(figure) for figure in figures(MAIN_FIGURES, new, old)},
        pictures=tuple(data_uri(picture_of(queries, row)) for row in worst),
    )


def _head(comparison: ReleaseComparison) -> Head:
    decision = comparison.decision
    failed = [gate.name for gate in decision.gates if not gate.passed]
    counting = [gate for gate in decision.gates if gate.counts]
    if decision.outcome == "cannot be told":
        return Head("wait", "Cannot be told", f"the test set is too small to tell: {', '.join(failed)}")
    if failed:
        word = "gate" if len(counting) == 1 else "gates"
        return Head("bad", "Not promoted", f"{len(failed)} of {len(counting)} {word} failed: {', '.join(failed)}")
    usual = comparison.by_default_limits() if _loosened(comparison) else decision
    if usual.promote:
        return Head("good", "Promoted", f"{decision.reason}; all {len(counting)} gates are met")
    return Head("wait", "Promoted by loosened limits", f"the default limits would refuse it; {usual.reason}")


def _loosened(comparison: ReleaseComparison) -> list[Limit]:
    loosened = comparison.gates.loosened(first=comparison.production is None)
    return [Limit(LIMITS[name], f"{limit:g}", f"{default:g}") for name, (limit, default) in loosened.items()]


def _evaluated(
    comparison: ReleaseComparison, candidate: Release, production: Release | None
) -> tuple[Evaluated, Evaluated | None]:
    new = _figures_of(candidate, comparison.candidate)
    if production is None or comparison.production is None:
        return new, None
    return new, _figures_of(production, comparison.production)


def _figures_of(release: Release, evaluation: ReleaseEvaluation) -> Evaluated:
    answers = evaluation.answers
    return Evaluated(release, evaluation.results, answers.answered, answers.metrics, answers.latency_ms)


def _figures(new: Evaluated, old: Evaluated | None) -> tuple[list[Figure], list[Figure]]:
    """Return the figures in view, and the folded ones."""
    return figures(MAIN_FIGURES, new, old), figures(further_figures(new.metrics, MAIN_FIGURES), new, old)


def _against(figure: Figure) -> str:
    return figure.value.text if figure.production is None else f"{figure.value.text} against {figure.production.text}"


def _intervals(comparison: ReleaseComparison) -> list[ShownInterval]:
    """Draw the differences on lines of one scale, 0 in the middle."""
    differences, gates = comparison.decision.differences, comparison.gates
    allowed = {"TNIR": gates.tnir_worse_by}
    ends = [abs(end) for one in differences.values() for end in (one.low, one.high)]
    reach = max([*ends, gates.worse_by, gates.tnir_worse_by]) * 1.1

    def place(value: float) -> float:
        return round(50 + 50 * value / reach, 2)

    return [
        ShownInterval(
            name=name,
            text=f"{100 * one.difference:+.1f} points [{100 * one.low:+.1f}, {100 * one.high:+.1f}]",
            low=place(one.low),
            high=place(one.high),
            point=place(one.difference),
            allowed=place(-allowed.get(name, gates.worse_by)),
        )
        for name, one in differences.items()
    ]


def _confusions(record: DecisionRecord, picture_of: Callable[[str], Picture]) -> list[ShownConfusion]:
    return [
        ShownConfusion(pair, None if pair.truth == UNKNOWN_NAME else picture_of(pair.truth), picture_of(pair.answered))
        for pair in record.confusions[:MOST_PAIRS]
    ]


def _photo_of(candidate: Release, production: Release | None, version: DatasetVersion) -> Callable[[str], Pixels]:
    """Return what gives a picture of any class that either release may name."""
    of_candidate = class_photos(candidate, version, Thumbnails())
    if production is None:
        return of_candidate
    of_production = class_photos(production, version, Thumbnails())
    known = set(candidate.labels)
    return lambda label: of_candidate(label) if label in known else of_production(label)


def _groups(
    candidate: Release,
    production: Release | None,
    comparison: ReleaseComparison,
    picture_of: Callable[[str], Picture],
) -> list[Group]:
    """Return the queries that are shown, by their fate, those first that a reader has to look at."""
    thumbnails = Thumbnails()
    new = _book(candidate, comparison.candidate, picture_of)
    old = None
    if production is not None and comparison.production is not None:
        old = _book(production, comparison.production, picture_of)
    queries, results = comparison.candidate.queries, comparison.candidate.results

    def shown(row: int) -> ShownQuery:
        truth = results.query_labels[row]
        return ShownQuery(
            photo=Picture(data_uri(thumbnails.of(queries, row)), f"Query of {truth}"),
            truth=truth,
            enrolled=bool(results.enrolled[row]),
            candidate=new.answer(row),
            production=None if old is None else old.answer(row),
        )

    return [
        Group(title, len(rows), [shown(row) for row in rows[:MOST].tolist()])
        for title, rows in _fates(candidate, comparison).items()
    ]


def _book(release: Release, evaluation: ReleaseEvaluation, picture_of: Callable[[str], Picture]) -> AnswerBook:
    return AnswerBook(release, evaluation.results, evaluation.answers.answered, picture_of)


def _fates(candidate: Release, comparison: ReleaseComparison) -> dict[str, NDArray[np.int64]]:
    """Return the queries that are answered wrongly or otherwise than before, by their fate, worst first."""
    new = comparison.candidate
    right, answered = new.answers.right, new.answers.answered
    if comparison.production is None:
        named = answered != UNKNOWN
        fates = {"Given a wrong name": ~right & named, "Enrolled, but answered unknown": ~right & ~named}
    else:
        before = comparison.production.answers
        same = answered == before.answered
        fates = {
            "Got worse": before.right & ~right,
            "Got better": right & ~before.right,
            "Wrong before and now, in another way": ~right & ~before.right & ~same,
            "Wrong before and now, in the same way": ~right & same,
        }
    order = worst_first(new.results, candidate.manifest.decision.build())
    return {title: order[chosen[order]] for title, chosen in fates.items() if chosen.any()}
