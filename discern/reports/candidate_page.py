"""The training page: a release candidate's figures, and its answers to the test queries as people review them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateConfig
from discern.evaluation.metrics import measure
from discern.evaluation.plots.confusions import ConfusionPair
from discern.reports.candidate_plots import NO_QUERIES, PAIRS, AnsweredTest, Depiction, SuspectPhoto
from discern.reports.figures import RATES, Evaluated, Figure, Head, figures, further_figures
from discern.reports.gallery_doctor import DoctoredPhoto
from discern.reports.html import data_uri, render
from discern.reports.shown_answers import AnswerBook, Picture, ShownAnswer, class_pictures
from discern.reports.summary import PICTURES, Origin, PageSummary
from discern.words import be, counted
from edge_runtime.core.readable import told_apart
from edge_runtime.core.release import Release

MAIN_FIGURES = (*RATES, "brier_score", "size_mb")
ELSEWHERE = "elsewhere_tnir"


@dataclass(frozen=True)
class Near:
    """One of the classes nearest to a query."""

    label: str
    own: bool
    picture: Picture


@dataclass(frozen=True)
class GridQuery:
    """A query beside its nearest classes.

    Attributes:
        photo: of the query.
        truth: its true class.
        enrolled: whether that class is in the gallery.
        answer: of the release.
        nearest: the nearest classes, best first.
    """

    photo: Picture
    truth: str
    enrolled: bool
    answer: ShownAnswer
    nearest: list[Near]


@dataclass(frozen=True)
class ShownPair:
    """Two classes that are taken for each other, each with its picture and what became of its queries."""

    pair: ConfusionPair
    first: Picture
    second: Picture
    forth: str
    back: str


@dataclass(frozen=True)
class ShownSuspect:
    """A photo that looks like another class, and the nearest photo of that class, with their labels and names."""

    photo: Picture
    label: str
    name: str
    nearest: Picture
    other: str
    nearest_name: str


@dataclass(frozen=True)
class ShownDoctored:
    """An enrolled photo that somebody should look at.

    Attributes:
        photo: of it.
        label: of its class.
        name: of its file.
        other: a picture of the class nearest to it; None where there is no other.
        other_label: of that class.
        left_out: what it gets when it is left out of the gallery.
        effect: how many queries it helps and harms.
    """

    photo: Picture
    label: str
    name: str
    other: Picture | None
    other_label: str
    left_out: str
    effect: str


@dataclass(frozen=True)
class ShownMap:
    """The map of the embeddings, and its legend: (class, CSS colour, picture) where each class has a colour."""

    picture: Picture
    note: str
    classes: list[tuple[str, str, Picture]]


def depiction_page(
    release: Release,
    version: DatasetVersion,
    depiction: Depiction,
    *,
    origin: Origin | None = None,
    index: str | None = None,
    data_page: str | None = None,
) -> str:
    """Write the page as one HTML text that needs no network.

    Args:
        release: the release that answered.
        version: the dataset version whose test queries it answers.
        depiction: its answers.
        origin: which run made it; None where the page does not say.
        index: address of the page of all reports, relative to this one; None for a page that stands alone.
        data_page: address of the review of `version`, likewise.
    """
    evaluated = _evaluated(release, depiction)
    picture_of = class_pictures(depiction.photo_of)
    pairs = () if depiction.confusions is None else depiction.confusions.pairs
    main = main_figures(evaluated)
    return render(
        "training.html",
        release=release,
        version=version.id,
        head=_head(evaluated),
        asked=asked_classes(release),
        figures=[] if evaluated is None else figures(main, evaluated),
        further=[] if evaluated is None else figures(further_figures(evaluated.metrics, main), evaluated),
        grid=[] if depiction.test is None else _grid(depiction, depiction.test, picture_of),
        pairs=[_pair(pair, picture_of) for pair in pairs[:PAIRS]],
        more_pairs=len(pairs[PAIRS:]),
        suspects=[_suspect(one) for one in depiction.suspects],
        doctor=depiction.doctor,
        doctored=[] if depiction.doctor is None else [_doctored(one) for one in depiction.doctor.shown],
        map=_map(depiction, picture_of),
        reliability=depiction.reliability,
        missing=depiction.missing,
        origin=origin,
        index=index,
        data_page=data_page,
    )


def training_summary(release: Release, version: DatasetVersion, depiction: Depiction, origin: Origin) -> PageSummary:
    """Return what the index says of the page; arguments as for `depiction_page`."""
    evaluated = _evaluated(release, depiction)
    head = _head(evaluated)
    shown: list[Figure] = [] if evaluated is None else figures(main_figures(evaluated), evaluated)
    return PageSummary(
        kind="training",
        use_case=release.manifest.name,
        id=release.id,
        version=version.id,
        origin=origin,
        verdict=head.kind,
        word=head.word,
        reason=head.reason,
        figures={figure.name: figure.value.text for figure in shown},
        pictures=tuple(data_uri(row.photo) for row in depiction.grid[:PICTURES]),
    )


def main_figures(evaluated: Evaluated | None) -> list[str]:
    """Name the figures at the head of the page; of one class, no query is unknown, and photos from elsewhere are."""
    only_elsewhere = evaluated is not None and evaluated.metrics.tnir is None
    return [ELSEWHERE if name == "tnir" and only_elsewhere else name for name in MAIN_FIGURES]


def asked_classes(release: Release) -> str:
    """Say how many classes are enrolled, and what was measured on which; empty where the release does not state it."""
    stated = release.manifest
    counts = stated.counts.model_dump()
    names = ("trained_classes", "classes_measured_as_known", "classes_measured_as_unknown")
    if not counts.keys() >= set(names):
        return ""
    trained, known, unknown = (f"{counts[name]:,}" if counts[name] else "none" for name in names)
    enrolled = stated.counts.classes
    elsewhere = ", besides photos from elsewhere" if ELSEWHERE in stated.metrics else ""
    return (
        f"{counted(enrolled, 'class')} {be(enrolled)} enrolled, {trained} of them in the training split; the test "
        f"asked {known} as known and {unknown} as unknown{elsewhere}."
    )


def _evaluated(release: Release, depiction: Depiction) -> Evaluated | None:
    """Measure the answers; photos from elsewhere are not among them, and their figure is the release's own."""
    test = depiction.test
    if test is None:
        return None
    identifier = test.identifier
    metrics = measure(test.results, identifier.rule, identifier.calibrator)
    elsewhere = {ELSEWHERE: release.manifest.metrics.get(ELSEWHERE)}
    return Evaluated(release, test.results, test.answers, metrics.model_copy(update=elsewhere))


def _head(evaluated: Evaluated | None) -> Head:
    """Judge by the floors that a first release has to reach by default: a training has no gates of its own."""
    if evaluated is None:
        return Head("wait", "Trained, not measured", NO_QUERIES)
    floors = GateConfig().floors(evaluated.metrics).items()
    lacking = [_lacking(name, value, floor) for name, (value, floor) in floors if value is None or value < floor]
    if lacking:
        return Head("wait", "Trained, below the default floors", "; ".join(lacking))
    right = int((evaluated.answers == evaluated.results.truth).sum())
    return Head("good", "Trained", f"{right:,} of {len(evaluated.answers):,} test queries answered right")


def _lacking(name: str, value: float | None, floor: float) -> str:
    if value is None:
        return f"{name} could not be computed"
    reached, wanted = told_apart(value, floor)
    return f"{name} is {reached}, below {wanted}"


def _grid(depiction: Depiction, test: AnsweredTest, picture_of: Callable[[str], Picture]) -> list[GridQuery]:
    results = test.results
    book = AnswerBook(depiction.release, results, test.answers, picture_of)
    return [
        GridQuery(
            photo=Picture(data_uri(row.photo), f"Query of {results.query_labels[row.query]}"),
            truth=results.query_labels[row.query],
            enrolled=bool(results.enrolled[row.query]),
            answer=book.answer(row.query),
            nearest=[
                Near(near.label, near.own, Picture(data_uri(near.photo), f"Enrolled photo of {near.label}"))
                for near in row.neighbours
            ],
        )
        for row in depiction.grid
    ]


def _suspect(one: SuspectPhoto) -> ShownSuspect:
    return ShownSuspect(
        photo=Picture(data_uri(one.photo), f"photo labelled {one.label}"),
        label=one.label,
        name=one.name,
        nearest=Picture(data_uri(one.nearest), f"photo labelled {one.other}"),
        other=one.other,
        nearest_name=one.nearest_name,
    )


def _doctored(one: DoctoredPhoto) -> ShownDoctored:
    report = one.report
    other = None if one.other is None else Picture(data_uri(one.other), f"Nearest other class: {report.other}")
    left_out = f"is taken for {report.answer}" if report.answer else "gets no name"
    if report.answer == report.label:
        left_out = "gets its name"
    return ShownDoctored(
        photo=Picture(data_uri(one.photo), f"Photo in the gallery of {report.label}"),
        label=report.label,
        name=one.name,
        other=other,
        other_label=report.other or "",
        left_out=left_out,
        effect=f"helps {counted(report.help, 'query')}, harms {report.harm:,}",
    )


def _pair(pair: ConfusionPair, picture_of: Callable[[str], Picture]) -> ShownPair:
    back = _counts(pair.second_named_first, pair.second_nearest_first, pair.second_queries)
    return ShownPair(
        pair,
        picture_of(pair.first),
        picture_of(pair.second),
        forth=_counts(pair.first_named_second, pair.first_nearest_second, pair.first_queries),
        back="Enrolled." if pair.unknown else back,  # nothing can be taken for an unknown
    )


def _counts(named: int, nearest: int, queries: int) -> str:
    if queries == 0:
        return "No query of it."
    return f"{named} of {queries} queries get the other's name, {nearest} are nearest to it."


def _map(depiction: Depiction, picture_of: Callable[[str], Picture]) -> ShownMap:
    drawn = depiction.map
    seen = f"Map of {depiction.release.manifest.counts.gallery:,} gallery rows"
    if depiction.test is not None:
        seen += f" and {len(depiction.test.answers):,} test queries; ringed are those answered wrongly"
    return ShownMap(
        Picture(data_uri(np.asarray(drawn.picture)), seen),
        drawn.note,
        [(label, "rgb({}, {}, {})".format(*colour), picture_of(label)) for label, colour in drawn.colours.items()],
    )
