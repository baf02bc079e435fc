"""The gates of an enrolment: new classes are found, and old ones do not suffer. Pure.

The model is production's, so that the same queries get the same embeddings: what an enrolment changes is seen query by
query. A loss is therefore judged as it is counted, with its interval beside it; an interval that few queries leave wide
would refuse every enrolment into a small set. Losses of one enrolment after another do not add up: they are also
counted against the release that the last training made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from discern.enrolment.photos import NewPhotos
from discern.enrolment.proposal import Proposal
from discern.evaluation.class_losses import find_losing_classes
from discern.evaluation.common_queries import CommonAnswers, common_answers
from discern.evaluation.gallery_doctor import PhotoReport
from discern.evaluation.gates import GateResult, PromotionDecision
from discern.evaluation.paired_figures import paired_intervals
from discern.evaluation.significance import Interval
from discern.words import counted

SHOWN = 3  # names in one sentence


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
    compared = _of_other_classes(proposal)
    intervals = paired_intervals(compared.truth, compared.candidate, compared.production, compared.groups)
    results = [
        _usable(proposal.new),
        *_classes_found(proposal, gates),
        _kept("TPIR", intervals, gates.tpir_worse_by),
        _kept("TNIR", intervals, gates.tnir_worse_by),
        _no_class_loses(compared),
        *_since_training(proposal, compared, gates),
    ]
    failures = [f"{gate.name}: {gate.detail}" for gate in results if not gate.passed]
    return PromotionDecision(
        promote=not failures,
        reason="; ".join(failures) or "new photos are found, and the other classes keep their answers",
        gates=tuple(results),
        differences=intervals,
        candidate=proposal.metrics,
        production=proposal.base_metrics,
    )


def _of_other_classes(proposal: Proposal) -> CommonAnswers:
    """Return the answers to the test queries of classes that the enrolment does not touch."""
    compared = common_answers(proposal.after, proposal.rule, proposal.before, proposal.base_rule)
    touched = proposal.change.changed | proposal.change.retired
    return compared.select(np.array([group not in touched for group in compared.groups], dtype=bool))


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
    found = sum(report.answer == label for report in asked)
    others = Counter(report.answer for report in asked if report.answer not in {label, None})
    taken = [f"{count} {'is' if count == 1 else 'are'} taken for {other}" for other, count in others.most_common(SHOWN)]
    unknown = sum(report.answer is None for report in asked)
    parts = [f"{found} of {counted(len(asked), 'photo')} found when left out of the gallery", *taken]
    if unknown:
        parts.append(f"{unknown} {'gets' if unknown == 1 else 'get'} none")
    passed = found / len(asked) >= gates.least_found
    mend = "" if passed else ": take sharper photos of what tells it apart, or give both one label"
    return GateResult(name=gate, passed=passed, detail=", ".join(parts) + mend)


def _kept(figure: str, intervals: Mapping[str, Interval], allowed: float) -> GateResult:
    gate, interval = f"{figure} of the other classes is kept", intervals.get(figure)
    if interval is None:
        detail = "the test queries are of fewer than two such classes: not computed"
        return GateResult(name=gate, passed=False, detail=detail)
    value = f"{interval.difference:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
    passed = interval.difference >= -allowed
    return GateResult(name=gate, passed=passed, detail=f"{value}, may lose {allowed:.3f}")


def _no_class_loses(compared: CommonAnswers) -> GateResult:
    losses = find_losing_classes(
        compared.candidate == compared.truth, compared.production == compared.truth, compared.groups
    )
    losing = [f"{label} loses {share:.0%} of its queries" for label, share in losses.losing[:SHOWN]]
    detail = ", ".join(losing) or f"none of {counted(losses.tested, 'class')} that could show it loses"
    return GateResult(name="no class loses", passed=not losing, detail=detail)


def _since_training(proposal: Proposal, compared: CommonAnswers, gates: EnrolmentGates) -> list[GateResult]:
    """Compare with the answers of the release that the last training made, so that small losses do not add up."""
    trained = proposal.trained_answers(compared)
    intervals = paired_intervals(compared.truth, compared.candidate, trained, compared.groups)
    results = []
    for figure, interval in intervals.items():
        if figure in {"TPIR", "TNIR"}:
            passed = interval.difference >= -gates.worse_than_trained_by
            mend = "" if passed else ": the gallery has outgrown its model, train again"
            detail = f"{interval.difference:+.3f}, may lose {gates.worse_than_trained_by:.3f}{mend}"
            results.append(GateResult(name=f"{figure} since the last training", passed=passed, detail=detail))
    return results
