"""The gates of an enrolment: new classes are found, and old ones do not suffer. Pure.

The model is production's, so that the same queries get the same embeddings: what an enrolment changes is seen query by
query. A loss is therefore judged as it is counted, with its interval beside it; an interval that few queries leave wide
would refuse every enrolment into a small set. Losses of one enrolment after another do not add up: they are also
counted against the release that the last training made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
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
from discern.evaluation.paired_figures import paired_intervals
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
    tpir_worse_by: float = Field(
        default=0.01, ge=0, le=1, description="TPIR of the other classes may lose at most this"
    )
    tnir_worse_by: float = Field(default=0.02, ge=0, le=1, description="TNIR may lose at most this")
    worse_than_trained_by: float = Field(
        default=0.03, ge=0, le=1, description="TPIR and TNIR may lose at most this since the last training"
    )


def judge_enrolment(proposal: Proposal, gates: EnrolmentGates) -> PromotionDecision:
    """Decide whether the proposed release may take the place of the one that it derives from."""
    compared = OtherClasses.of(proposal)
    intervals = compared.differences(compared.before)
    results = [
        _usable(proposal.new),
        *_classes_found(proposal, gates),
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
class OtherClasses:
    """Answers to the test queries of classes that an enrolment does not touch.

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
    def of(cls, proposal: Proposal) -> OtherClasses:
        """Take the queries that both releases were asked alike."""
        common = common_queries([proposal.after, proposal.before])
        after, before = common.results
        touched = proposal.change.changed | proposal.change.retired
        chosen = np.array([label not in touched for label in after.query_labels], dtype=bool)
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

    def differences(self, earlier: NDArray[np.int64]) -> dict[str, Interval]:
        """Return what the proposed release gains against earlier answers [c], by figure."""
        return paired_intervals(self.truth, self.after, earlier, self.labels)


def _usable(new: NewPhotos) -> GateResult:
    faults = [f"{name}: {fault}" for name, fault in zip(new.names, new.faults, strict=True) if fault]
    detail = " ".join(faults) or f"{counted(len(new.names), 'photo')} can be used"
    return GateResult(name="photos can be used", passed=not faults, detail=detail)


def _classes_found(proposal: Proposal, gates: EnrolmentGates) -> list[GateResult]:
    """Judge each class that gets photos by the answers to these photos in a gallery without them."""
    reports: dict[str, list[PhotoReport]] = defaultdict(list)
    for report in proposal.reports:
        reports[report.label].append(report)
    begun = proposal.new_labels | proposal.change.replaced
    return [_class_found(label, reports[label], gates, begun=label in begun) for label in sorted(reports)]


def _class_found(label: str, reports: Sequence[PhotoReport], gates: EnrolmentGates, *, begun: bool) -> GateResult:
    gate = f"{label} is found"
    if begun and len(reports) < gates.least_photos:
        missing = gates.least_photos - len(reports)
        detail = f"it has {counted(len(reports), 'photo')}, which cannot be told: add {missing} more"
        return GateResult(name=gate, passed=False, detail=detail)
    asked = [report for report in reports if report.own_score is not None]
    if not asked:
        return GateResult(name=gate, passed=True, detail="it has one photo, which cannot be told")
    return _judge_answers(gate, label, asked, gates)


def _judge_answers(gate: str, label: str, asked: Sequence[PhotoReport], gates: EnrolmentGates) -> GateResult:
    """Judge a class by what its photos are answered when each is left out of the gallery."""
    found = sum(report.answer == label for report in asked)
    others = Counter(report.answer for report in asked if report.answer not in {label, None})
    taken = [f"{count} {'is' if count == 1 else 'are'} taken for {other}" for other, count in others.most_common(SHOWN)]
    unknown = sum(report.answer is None for report in asked)
    parts = [f"{found} of {counted(len(asked), 'photo')} found when left out of the gallery", *taken]
    if unknown:
        parts.append(f"{unknown} {'gets' if unknown == 1 else 'get'} none")
    passed = found / len(asked) >= gates.least_found
    mend = "" if passed else f": {TAKEN if others.total() >= unknown else UNKNOWN_TO_IT}"
    return GateResult(name=gate, passed=passed, detail=", ".join(parts) + mend)


def _kept(figure: str, intervals: Mapping[str, Interval], allowed: float) -> GateResult:
    gate, interval = f"{figure} of the other classes is kept", intervals.get(figure)
    if interval is None:
        detail = "the test queries are of fewer than two such classes: not computed"
        return GateResult(name=gate, passed=False, detail=detail)
    value = f"{interval.difference:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    passed = interval.difference >= -allowed
    return GateResult(name=gate, passed=passed, detail=f"{value}, may lose {allowed:.3f}")


def _no_class_loses(compared: OtherClasses) -> GateResult:
    right_now, right_before = (answers == compared.truth for answers in (compared.after, compared.before))
    losses = find_losing_classes(right_now, right_before, compared.labels)
    losing = [f"{label} loses {share:.0%} of its queries" for label, share in losses.losing[:SHOWN]]
    detail = ", ".join(losing) or f"none of {counted(losses.tested, 'class')} that could show it loses"
    return GateResult(name="no class loses", passed=not losing, detail=detail)


def _since_training(compared: OtherClasses, gates: EnrolmentGates) -> list[GateResult]:
    """Compare with the answers of the release that the last training made, so that small losses do not add up."""
    results = []
    for figure, interval in compared.differences(compared.trained).items():
        if figure in {"TPIR", "TNIR"}:
            passed = interval.difference >= -gates.worse_than_trained_by
            mend = "" if passed else ": the gallery has outgrown its model, train again"
            detail = f"{interval.difference:+.3f}, may lose {gates.worse_than_trained_by:.3f}{mend}"
            results.append(GateResult(name=f"{figure} since the last training", passed=passed, detail=detail))
    return results
