"""The page of an enrolment: whether it went live, what a new class is confused with, which photo to take again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from discern.enrolment.change import told
from discern.enrolment.proposal import Proposal
from discern.evaluation.common_queries import common_queries
from discern.evaluation.gallery_doctor import CurvePoint, PhotoReport
from discern.evaluation.gates import PromotionDecision
from discern.reports.figures import Head
from discern.reports.html import data_uri, render
from discern.reports.shown_answers import Picture, class_pictures
from discern.reports.summary import PICTURES, Origin, PageSummary, Verdict
from discern.sources.enrolled.ledger import EnrolmentRequest
from discern.words import counted
from edge_runtime.core.images import decode
from edge_runtime.core.release import Release

SHOWN_CHANGES = 40  # answers of other classes that changed
WORTH = 0.02  # of TPIR, by which more photos must raise it to be worth saying


@dataclass(frozen=True)
class ShownPhoto:
    """A new photo and what it would be taken for in a gallery without it.

    Attributes:
        picture: of it.
        name: the name that it came with.
        kind: good where it gets its name, bad where it gets another or cannot be used, wait where it gets none.
        answer: what it gets, in words.
        taken_for: a picture of the class that it was taken for or is nearest to; None where that is its own.
        other: the label of that class.
        advice: what to do with it; empty where nothing is to be done.
        note: what else was given of the same picture; empty where nothing was.
    """

    picture: Picture
    name: str
    kind: Verdict
    answer: str
    taken_for: Picture | None
    other: str
    advice: str
    note: str = ""


@dataclass(frozen=True)
class ShownClass:
    """A class that got photos.

    Attributes:
        label: of it.
        what: new, or how many photos it had before.
        kind: good where its photos are found.
        found: how many of them are.
        nearest: the class that it is most often nearest to; None where there is no other.
        more: whether more photos would help, a sentence.
        photos: the new ones, worst first.
    """

    label: str
    what: str
    kind: Verdict
    found: str
    nearest: Picture | None
    nearest_label: str
    more: str
    photos: list[ShownPhoto]


@dataclass(frozen=True)
class ChangedAnswer:
    """How many queries of a class of old changed from one answer to another.

    Attributes:
        truth: their true class.
        before: the answer of the release before.
        after: the answer of the proposed one.
        count: how many.
        better: whether the later answer is the right one.
    """

    truth: str
    before: str
    after: str
    count: int
    better: bool


def enrolment_report(
    proposal: Proposal,
    decision: PromotionDecision,
    request: EnrolmentRequest,
    release: Release,
    *,
    origin: Origin | None = None,
    index: str | None = None,
) -> str:
    """Write the page as one HTML text that needs no network.

    Args:
        proposal: the release that was proposed.
        decision: on it.
        request: what somebody asked for.
        release: the proposed release, built.
        origin: which run made it; None where the page does not say.
        index: address of the page of all reports, relative to this one; None for a page that stands alone.
    """
    failed = [gate for gate in decision.gates if not gate.passed]
    return render(
        "enrolment.html",
        head=_head(decision),
        request=request,
        lines=told(proposal.data_before.gallery, proposal.change),
        base=proposal.base,
        release=release,
        failed=failed,
        met=[gate for gate in decision.gates if gate.passed],
        classes=_classes(proposal, decision, release),
        retired=_retired(proposal),
        changes=_changes(proposal),
        curve=proposal.data.curve,
        origin=origin,
        index=index,
    )


def enrolment_summary(
    proposal: Proposal, decision: PromotionDecision, release: Release, request: EnrolmentRequest, origin: Origin
) -> PageSummary:
    """Return what the index says of the page; arguments as for `enrolment_report`."""
    head = _head(decision)
    figures = {"new photos": f"{len(proposal.new.names)}", "classes": f"{len(release.labels)}"}
    for name in ("TPIR", "TNIR"):
        if name in decision.differences:
            figures[f"{name} of the classes of before"] = f"{decision.differences[name].difference:+.3f}"
    return PageSummary(
        kind="enrolment",
        use_case=request.use_case,
        id=release.id,
        version=release.manifest.lineage.dataset_version or "not known",
        origin=origin,
        verdict=head.kind,
        word=head.word,
        reason=head.reason,
        figures=figures,
        pictures=tuple(islice((data_uri(picture) for picture in proposal.new.thumbnails), PICTURES)),
    )


def _head(decision: PromotionDecision) -> Head:
    if decision.promote:
        return Head("good", "Enrolled", decision.reason)
    failed = [gate.name for gate in decision.gates if not gate.passed]
    if decision.outcome == "cannot be told":
        return Head("wait", "Waits for a person", decision.reason)
    return Head("bad", "Not enrolled", f"{len(failed)} of {len(decision.gates)} gates failed: {', '.join(failed)}")


def _classes(proposal: Proposal, decision: PromotionDecision, release: Release) -> list[ShownClass]:
    """Return the classes that got photos, those that are not found first."""
    number_of = {label: number for number, label in enumerate(release.labels)}
    picture_of = class_pictures(lambda label: decode(release.thumbnail(number_of[label]), label))
    gates = {gate.name: gate for gate in decision.gates}
    lines = dict(line.split(": ", 1) for line in told(proposal.data_before.gallery, proposal.change))
    shown = []
    for label in sorted(proposal.change.changed):
        reports = [report for report in proposal.reports if report.label == label]
        gate = gates[f"{label} is found"]
        nearest = _nearest(reports)
        shown.append(
            ShownClass(
                label=label,
                what=lines[label],
                kind="good" if gate.passed else "bad",
                found=gate.detail,
                nearest=None if nearest is None else picture_of(nearest),
                nearest_label=nearest or "",
                more=more_photos(proposal.data.curve, len(reports)),
                photos=_photos(proposal, reports, picture_of),
            )
        )
    return sorted(shown, key=lambda one: one.kind)


def _nearest(reports: Sequence[PhotoReport]) -> str | None:
    others = Counter(report.other for report in reports if report.other is not None)
    return others.most_common(1)[0][0] if others else None


def _photos(
    proposal: Proposal, reports: Sequence[PhotoReport], picture_of: Callable[[str], Picture]
) -> list[ShownPhoto]:
    """Return the new photos of a class, those that are to be taken again first."""
    new = proposal.new
    place = {key: number for number, key in enumerate(zip(new.enrolled.labels, new.enrolled.sha256, strict=True))}
    shown = []
    for report in sorted(reports, key=lambda report: -report.excess):
        number = place.get((report.label, proposal.gallery.sha256[report.row]))
        if number is not None:
            picture = Picture(data_uri(new.thumbnails[number]), f"Photo of {report.label}")
            photo = _photo(picture, new.names[number], new.faults[number], report, picture_of)
            shown.append(replace(photo, note=new.notes[number]))
    return sorted(shown, key=lambda one: {"bad": 0, "wait": 1, "good": 2}[one.kind])


def _photo(
    picture: Picture, name: str, fault: str, report: PhotoReport, picture_of: Callable[[str], Picture]
) -> ShownPhoto:
    kind: Verdict
    if report.answer == report.label:
        kind, answer, advice = "good", "found when it is left out of the gallery", ""
    elif report.own_score is None:
        kind, answer, advice = "wait", "its class has no other picture", "add another photo"
    elif report.answer is None:
        kind, answer, advice = "wait", "left out of the gallery it gets no name", "add a photo that looks like it"
    else:
        kind, answer = "bad", f"left out of the gallery it is taken for {report.answer}"
        advice = "take it again so that what differs is seen, or check its label"
    if fault:
        kind, advice = "bad", fault
    own = report.answer == report.label or report.other is None
    return ShownPhoto(
        picture=picture,
        name=name,
        kind=kind,
        answer=answer,
        taken_for=None if own or report.other is None else picture_of(report.other),
        other="" if own else report.other or "",
        advice=advice,
    )


def more_photos(curve: Sequence[CurvePoint], photos: int) -> str:
    """Say whether more photos of a class would help, by how TPIR grew with the photos of other classes."""
    known = [point for point in curve if point.photos <= photos]
    if not curve or not known:
        return ""
    now, best = known[-1], max(curve, key=lambda point: point.tpir)
    if best.photos <= photos or best.tpir - now.tpir < WORTH:
        return f"More photos than {photos} raised TPIR of other classes by less than {WORTH:.0%}."
    return (
        f"More photos would help: other classes got their name in {now.tpir:.0%} of queries with "
        f"{counted(now.photos, 'photo')}, and in {best.tpir:.0%} with {best.photos}."
    )


def _retired(proposal: Proposal) -> list[tuple[str, str]]:
    """Say of each retired class what its test queries are answered now."""
    labels = np.array(proposal.after.query_labels)
    answers = proposal.after.answers(proposal.rule)
    told_of = []
    for label in sorted(proposal.change.retired):
        of_class = answers[(labels == label) & proposal.before.enrolled]
        names = Counter(proposal.after.labels[number] for number in of_class.tolist() if number >= 0)
        unknown = int((of_class < 0).sum())
        parts = [f"{unknown} of {counted(len(of_class), 'test query', 'test queries')} unknown"]
        parts += [f"{count} named {name}" for name, count in names.most_common()]
        told_of.append((label, ", ".join(parts) if len(of_class) else "it had no test query"))
    return told_of


def _changes(proposal: Proposal) -> list[ChangedAnswer]:
    """Count the queries of other classes whose answers changed, the losses first."""
    after, before = common_queries([proposal.after, proposal.before]).results
    names = (*after.labels, "unknown")  # -1 is the last one
    answers = zip(
        after.query_labels,
        after.truth.tolist(),
        before.answers(proposal.base_rule).tolist(),
        after.answers(proposal.rule).tolist(),
        strict=True,
    )
    counts = Counter(
        (label, names[truth], names[earlier], names[now]) for label, truth, earlier, now in answers if earlier != now
    )
    changed = [
        ChangedAnswer(
            label if truth == label else f"{label}, asked as unknown", earlier, now, count, better=now == truth
        )
        for (label, truth, earlier, now), count in counts.items()
    ]
    return sorted(changed, key=lambda one: (one.better, -one.count, one.truth))[:SHOWN_CHANGES]
