"""The gates of an enrolment: new photos are found, and the classes of before do not suffer. Pure.

The model is production's, so that the same queries get the same embeddings: what an enrolment changes is seen query by
query. A loss is therefore judged as it is counted, with its interval beside it; an interval that few queries leave wide
would refuse every enrolment into a small set. Losses of one enrolment after another do not add up: they are also
counted against the release that the last training made.

A class that gets further photos is judged by these alone, and by its own test queries, which it must not lose. Photos
of another thing find each other and may harm no query: where production hardly names them, a person decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from discern.enrolment.photos import NewPhotos
from discern.enrolment.proposal import Proposal
from discern.evaluation.class_losses import find_losing_classes
from discern.evaluation.common_queries import common_queries
from discern.evaluation.gallery_doctor import PhotoReport
from discern.evaluation.gates import GateResult, PromotionDecision
from discern.evaluation.paired_figures import paired_intervals, paired_share
from discern.evaluation.retrieval import UNKNOWN
from discern.evaluation.significance import Interval
from discern.words import counted

SHOWN = 3  # names in one sentence
TAKEN = "take sharper photos of what tells it apart, or give both one label"
UNKNOWN_TO_IT = "its photos differ too much for this model, so add photos of each of its looks, or train with it"


class EnrolmentGates(BaseModel):
    """The limits of an enrolment. Shares between 0 and 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_photos: int = Field(
        default=2,
        ge=1,
        description="of a class that is new or replaced; of one photo nothing shows whether it is found",
    )
    least_found: float = Field(
        default=0.5, ge=0, le=1, description="of a class's new photos get its name in a gallery without them"
    )
    least_known: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="of further photos of a class get its name in production already; of fewer a person decides",
    )
    tpir_worse_by: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="TPIR may lose at most this, and so may the queries of a class that gets further photos",
    )
    tnir_worse_by: float = Field(default=0.02, ge=0, le=1, description="TNIR may lose at most this")
    worse_than_trained_by: float = Field(
        default=0.03, ge=0, le=1, description="TPIR and TNIR may lose at most this since the last training"
    )


def judge_enrolment(proposal: Proposal, gates: EnrolmentGates) -> PromotionDecision:
    """Decide whether the proposed release may take the place of the one that it derives from."""
    compared = ComparedAnswers.of(proposal)
    intervals = compared.differences(compared.before)
    if proposal.elsewhere is not None and not compared.unknown.any():
        elsewhere = paired_share(*proposal.elsewhere)
        intervals |= {} if elsewhere is None else {"TNIR": elsewhere}
    results = [
        _usable(proposal.new),
        *_classes_found(proposal, gates),
        *_further_photos(proposal, compared, gates),
        _kept("TPIR", intervals, gates.tpir_worse_by),
        _kept("TNIR", intervals, gates.tnir_worse_by),
        _no_class_loses(compared),
        *_since_training(compared, gates),
    ]
    failures = [f"{gate.name}: {gate.detail}" for gate in results if not gate.passed]
    return PromotionDecision(
        promote=not failures,
        reason="; ".join(failures) or _praise(proposal),
        gates=tuple(results),
        differences=intervals,
        candidate=proposal.metrics,
        production=proposal.base_metrics,
    )


def _praise(proposal: Proposal) -> str:
    kept = "the other classes keep their answers"
    return f"new photos are found, and {kept}" if proposal.new.names else kept


@dataclass(frozen=True)
class ComparedAnswers:
    """Answers to the test queries of the classes of before, but for those that are replaced or retired.

    Attributes:
        truth: [c] number of the true class, or -1 for an unknown.
        after: [c] number of the class that the proposed release answers, or -1 for `unknown`.
        before: [c] the same of the release that it derives from.
        trained: [c] the same of the release that the last training made.
        labels: c labels of the true classes, unknowns too.
    """

    truth: NDArray[np.int64]
    after: NDArray[np.int64]
    before: NDArray[np.int64]
    trained: NDArray[np.int64]
    labels: list[str]

    @classmethod
    def of(cls, proposal: Proposal) -> ComparedAnswers:
        """Take the queries that both releases were asked alike."""
        common = common_queries([proposal.after, proposal.before])
        after, before = common.results
        gone = proposal.change.replaced | proposal.change.retired
        chosen = np.array([label not in gone for label in after.query_labels], dtype=bool)
        number_of = {label: number for number, label in enumerate(after.labels)} | {None: UNKNOWN}
        trained = [proposal.data.trained_answers[row] for row in common.rows[chosen]]
        return cls(
            truth=after.truth[chosen],
            after=after.answers(proposal.rule)[chosen],
            before=before.answers(proposal.base_rule)[chosen],
            # A class that was retired since has no number: it gets one that is right for no query.
            trained=np.array([number_of.get(label, len(after.labels)) for label in trained], dtype=np.int64),
            labels=[label for label, taken in zip(after.query_labels, chosen, strict=True) if taken],
        )

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """[c] whether a query is of no class that is enrolled."""
        return self.truth == UNKNOWN

    def differences(self, earlier: NDArray[np.int64]) -> dict[str, Interval]:
        """Return what the proposed release gains against earlier answers [c], by figure.

        Where the queries of a figure are of one class, each stands for itself. A figure without two queries is left
        out.
        """
        if not len(self.truth):
            return {}
        alone = paired_intervals(self.truth, self.after, earlier, [str(query) for query in range(len(self.truth))])
        return alone | paired_intervals(self.truth, self.after, earlier, self.labels)


def _usable(new: NewPhotos) -> GateResult:
    faults = [f"{name}: {fault}" for name, fault in zip(new.names, new.faults, strict=True) if fault]
    detail = " ".join(faults) or f"{counted(len(new.names), 'photo')} can be used"
    return GateResult(name="photos can be used", passed=not faults, detail=detail)


def _classes_found(proposal: Proposal, gates: EnrolmentGates) -> list[GateResult]:
    """Judge each class that gets photos by the answers to these photos in a gallery without them."""
    reports: dict[str, list[PhotoReport]] = defaultdict(list)
    for report in proposal.new_reports:
        reports[report.label].append(report)
    pictures: dict[str, set[int]] = defaultdict(set)
    for label, picture in zip(proposal.new.enrolled.labels, proposal.new.pictures, strict=True):
        pictures[label].add(picture)
    least = {label: gates.least_photos if label in proposal.begun else 0 for label in proposal.change.changed}
    return [_class_found(label, reports[label], len(pictures[label]), least[label], gates) for label in sorted(least)]


def _class_found(
    label: str, reports: Sequence[PhotoReport], pictures: int, least: int, gates: EnrolmentGates
) -> GateResult:
    gate = f"{label} is found"
    if pictures < least:
        has = counted(len(reports), "photo")
        same = f" of {counted(pictures, 'picture')}" if pictures < len(reports) else ""
        detail = f"it has {has}{same}, which cannot be told: add {least - pictures} more"
        return GateResult(name=gate, passed=False, detail=detail)
    if not reports:
        return GateResult(name=gate, passed=True, detail="its photos are enrolled already", counts=False)
    asked = [report for report in reports if report.own_score is not None]
    if not asked:
        return GateResult(name=gate, passed=True, detail="it has one picture, which cannot be told", counts=False)
    return _judge_answers(gate, label, asked, gates)


def _judge_answers(gate: str, label: str, asked: Sequence[PhotoReport], gates: EnrolmentGates) -> GateResult:
    """Judge a class by what its photos are answered when each is left out of the gallery."""
    found = sum(report.answer == label for report in asked)
    others = Counter(report.answer for report in asked if report.answer not in {label, None})
    taken = [f"{count} {'is' if count == 1 else 'are'} taken for {other}" for other, count in others.most_common(SHOWN)]
    unknown = sum(report.answer is None for report in asked)
    parts = [f"{found} of {counted(len(asked), 'new photo')} found when left out of the gallery", *taken]
    if unknown:
        parts.append(f"{unknown} {'gets' if unknown == 1 else 'get'} none")
    passed = found / len(asked) >= gates.least_found
    mend = "" if passed else f": {TAKEN if others.total() >= unknown else UNKNOWN_TO_IT}"
    return GateResult(name=gate, passed=passed, detail=", ".join(parts) + mend)


def _further_photos(proposal: Proposal, compared: ComparedAnswers, gates: EnrolmentGates) -> Iterator[GateResult]:
    """Judge each class that keeps its earlier photos: it must not lose, and its new photos must look like it."""
    for label in sorted(proposal.change.changed - proposal.begun):
        yield from _own_queries(label, compared, gates.tpir_worse_by)
        yield from _looks_like(label, proposal, gates.least_known)


def _own_queries(label: str, compared: ComparedAnswers, allowed: float) -> Iterator[GateResult]:
    """Hold a class against its answers of before, where it has test queries."""
    own = np.array([of == label for of in compared.labels], dtype=bool) & ~compared.unknown
    if own.any():
        now, before = (int((answers == compared.truth)[own].sum()) for answers in (compared.after, compared.before))
        detail = f"{now} of {counted(int(own.sum()), 'test query', 'test queries')} right, {before} before"
        passed = before - now <= allowed * own.sum()
        mend = "" if passed else ": take photos that show this class and nothing else, or replace its earlier ones"
        yield GateResult(name=f"{label} keeps its answers", passed=passed, detail=detail + mend)


def _looks_like(label: str, proposal: Proposal, least: float) -> Iterator[GateResult]:
    """Ask production for the new photos of a class that it knows."""
    asked, held = proposal.asked_before, set(proposal.data_before.gallery.named)
    rows = [row for row, photo in enumerate(proposal.new.enrolled.named) if photo[0] == label and photo not in held]
    if asked is not None and rows:
        known = int((asked.answers(proposal.base_rule) == asked.truth)[rows].sum())
        detail = f"{known} of {counted(len(rows), 'new photo')} {'gets' if known == 1 else 'get'} its name already"
        passed = known >= least * len(rows)
        if not passed:
            detail += (
                ", so that they may show another thing: look at them, then approve the release, or enrol them under a "
                "label of their own"
            )
        yield GateResult(name=f"{label} looks as before", passed=passed, detail=detail, told=passed)


def _kept(figure: str, intervals: Mapping[str, Interval], allowed: float) -> GateResult:
    gate, interval = f"{figure} is kept", intervals.get(figure)
    if interval is None:
        detail = "fewer than two test queries can be compared: not told"
        return GateResult(name=gate, passed=True, detail=detail, counts=False)
    value = f"{interval.difference:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    passed = interval.difference >= -allowed
    return GateResult(name=gate, passed=passed, detail=f"{value}, may lose {allowed:.3f}")


def _no_class_loses(compared: ComparedAnswers) -> GateResult:
    if not len(compared.truth):
        return GateResult(
            name="no class loses", passed=True, detail="no class has test queries: not told", counts=False
        )
    right_now, right_before = (answers == compared.truth for answers in (compared.after, compared.before))
    losses = find_losing_classes(right_now, right_before, compared.labels)
    losing = [f"{label} loses {share:.0%} of its queries" for label, share in losses.losing[:SHOWN]]
    detail = ", ".join(losing) or f"none of {counted(losses.tested, 'class')} that could show it loses"
    return GateResult(name="no class loses", passed=not losing, detail=detail)


def _since_training(compared: ComparedAnswers, gates: EnrolmentGates) -> list[GateResult]:
    """Compare with the answers of the release that the last training made, so that small losses do not add up."""
    results = []
    for figure, interval in compared.differences(compared.trained).items():
        if figure in {"TPIR", "TNIR"}:
            passed = interval.difference >= -gates.worse_than_trained_by
            mend = "" if passed else ": the gallery has outgrown its model, train again"
            detail = f"{interval.difference:+.3f}, may lose {gates.worse_than_trained_by:.3f}{mend}"
            results.append(GateResult(name=f"{figure} since the last training", passed=passed, detail=detail))
    return results
