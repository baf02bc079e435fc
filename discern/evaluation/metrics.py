"""Retrieval and open-set figures of search results.

Rates of open-set identification after ISO/IEC 19795-1: the true-positive identification rate (TPIR) is the share of the
enrolled queries that get the right name, and FNIR = 1 - TPIR; the false-positive identification rate (FPIR) is the
share of the unknowns that get a name, and TNIR = 1 - FPIR. A figure that cannot be computed is None, never a good
number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from discern.evaluation.reliability import reliability_of
from discern.evaluation.retrieval import UNKNOWN, SearchResults
from discern.words import counted
from edge_runtime.core.identify import LOWEST_COSINE, Calibrator, DecisionRule, decide, right_probability

# Names of figures in what was stored before they were called by the field's terms.
FORMER_NAMES = {
    "detection_rate": "tpir",
    "unseen_detection_rate": "unseen_tpir",
    "stranger_refusal": "tnir",
    "stranger_queries": "unknown_queries",
}


class Metrics(BaseModel):
    """Figures of one model on one set of queries. All but the counts lie between 0 and 1.

    Attributes:
        recall_at_1: share of the enrolled queries whose nearest class is right, whatever the decision.
        unseen_recall_at_1: the same for enrolled classes that the model never trained on.
        map_at_r: mean average precision at R of the enrolled queries, `average_precision_at_r`, whatever the decision.
        tpir: share of the enrolled queries answered with the right name (1 - FNIR).
        unseen_tpir: the same for enrolled classes that the model never trained on.
        tnir: share of the unknowns answered `unknown` (1 - FPIR): queries of classes that are held out as unknown, and
            of enrolled classes that were left out of the search.
        left_out_tnir: the same for the latter alone.
        elsewhere_tnir: the same for photos of things from elsewhere, which count nowhere else.
        auroc: area under the ROC curve of the best score, enrolled against unknowns.
        joint_auroc: the same of the stated probability, which is made of score and margin.
        precision: mean over the answered classes of the share of right answers among all answers with their name.
        recall: mean over enrolled classes of the TPIR.
        accuracy: share of all queries answered right; `unknown` is the right answer to an unknown.
        expected_calibration_error: mean distance between the stated probability and the share that is right, in bins.
        brier_score: mean squared distance between the stated probability and the outcome, 1 or 0.
    """

    model_config = ConfigDict(frozen=True)

    recall_at_1: float | None
    unseen_recall_at_1: float | None
    map_at_r: float | None = None
    tpir: float | None
    unseen_tpir: float | None
    tnir: float | None
    left_out_tnir: float | None = None
    elsewhere_tnir: float | None = None
    auroc: float | None
    joint_auroc: float | None = None
    precision: float | None
    recall: float | None
    accuracy: float
    expected_calibration_error: float | None = None
    brier_score: float | None = None
    enrolled_queries: int
    unseen_queries: int
    unknown_queries: int
    gallery_classes: int

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, data: Any) -> Any:
        """Accept figures under their former names."""
        if not isinstance(data, dict):
            return data
        return {FORMER_NAMES.get(name, name): value for name, value in data.items()}

    def figures(self) -> dict[str, float]:
        """Return the figures that could be computed."""
        return {key: float(value) for key, value in self.model_dump().items() if value is not None}

    def distinct_figures(self) -> dict[str, float]:
        """Return the same, without those of unseen classes where no other ones are enrolled: they repeat the rest."""
        repeats = self.unseen_queries == self.enrolled_queries
        return {name: value for name, value in self.figures().items() if not (repeats and name.startswith("unseen_"))}

    def summary(self) -> str:
        """Return the main figures in one line, each rate of right answers with its rate of errors."""
        return ", ".join(f"{name} {value}" for name, value in self._main())

    def lines(self) -> list[str]:
        """Return how much was asked, and the main figures, a line each."""
        known = counted(self.enrolled_queries, "query of enrolled classes", "queries of enrolled classes")
        asked = f"{known} and {self.unknown_queries:,} unknown ones"
        lines = self._main()
        if self.elsewhere_tnir is not None:
            lines.append(("TNIR of photos from elsewhere", f"{self.elsewhere_tnir:.3f}"))
        return [
            f"measured on {asked}, in a gallery of {counted(self.gallery_classes, 'class')}:",
            *(f"  {name:<8}  {value}" for name, value in lines),
        ]

    def _main(self) -> list[tuple[str, str]]:
        return [
            ("recall@1", _with_error(self.recall_at_1)),
            ("TPIR", _with_error(self.tpir, "FNIR")),
            ("TNIR", _with_error(self.tnir, "FPIR")),
            ("AUROC", _with_error(self.auroc)),
        ]


def measure(
    results: SearchResults,
    rule: DecisionRule,
    calibrator: Calibrator | None = None,
    elsewhere: NDArray[np.float32] | None = None,
) -> Metrics:
    """Compute every figure of `results` under `rule`, and of the probabilities of `calibrator` where there is one.

    Args:
        results: of the queries.
        rule: decides.
        calibrator: states probabilities.
        elsewhere: [n, 2] scores of the best and the second class of photos of things from elsewhere.
    """
    results = results.stated_by(calibrator)
    enrolled = results.enrolled
    unseen = enrolled & ~results.trained
    right = results.right(rule)
    precision, recall = macro_precision_recall(results.truth, results.answers(rule))
    reliability = reliability_of(results, calibrator)
    return Metrics(
        recall_at_1=_share(results.retrieved, enrolled),
        unseen_recall_at_1=_share(results.retrieved, unseen),
        map_at_r=_map_at_r(results),
        tpir=_share(right, enrolled),
        unseen_tpir=_share(right, unseen),
        tnir=_share(right, ~enrolled),
        left_out_tnir=_share(right, results.left_out),
        elsewhere_tnir=None if elsewhere is None else float((~named(elsewhere, rule, calibrator)).mean()),
        auroc=unknown_auroc(results),
        joint_auroc=None if results.probabilities is None else _auroc(enrolled, results.probabilities),
        precision=precision,
        recall=recall,
        accuracy=float(right.mean()),
        expected_calibration_error=None if reliability is None else reliability.expected_calibration_error,
        brier_score=None if reliability is None else reliability.brier_score,
        enrolled_queries=int(enrolled.sum()),
        unseen_queries=int(unseen.sum()),
        unknown_queries=int((~enrolled).sum()),
        gallery_classes=len(results.labels),
    )


def _map_at_r(results: SearchResults) -> float | None:
    if results.average_precision is None or not results.enrolled.any():
        return None
    return float(results.average_precision[results.enrolled].mean())


def named(scores: NDArray[np.float32], rule: DecisionRule, calibrator: Calibrator | None) -> NDArray[np.bool_]:
    """Return whether each photo gets a name; `scores` [n, 2] are of its best and its second class."""
    return decide(scores, rule, None if calibrator is None else right_probability(scores, calibrator))


def unknown_auroc(results: SearchResults) -> float | None:
    """Return the area under the ROC curve of the best score, enrolled queries against unknowns; None without both."""
    return _auroc(results.enrolled, results.scores[:, 0])


def macro_precision_recall(truth: NDArray[np.int64], answers: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """Return macro precision over the answered classes and macro recall over the enrolled classes.

    Args:
        truth: [q] class, or -1 for an unknown.
        answers: [q] class, or -1 for `unknown`.
    """
    precision, recall = class_precision_recall(truth, answers)
    return _mean(precision), _mean(recall)


def class_precision_recall(
    truth: NDArray[np.int64], answers: NDArray[np.int64], classes: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the precision and the recall [c] of each class; not a number where it is never answered, never asked.

    Args:
        truth: [q] class, or -1 for an unknown.
        answers: [q] class, or -1 for `unknown`.
        classes: at least so many are told of.
    """
    named, enrolled = answers != UNKNOWN, truth != UNKNOWN
    count = max(classes, int(max(truth.max(initial=0), answers.max(initial=0))) + 1)
    hits = np.bincount(truth[enrolled & (truth == answers)], minlength=count)
    answered = np.bincount(answers[named], minlength=count)
    present = np.bincount(truth[enrolled], minlength=count)
    return _ratio(hits, answered), _ratio(hits, present)


def _auroc(enrolled: NDArray[np.bool_], scores: NDArray[Any]) -> float | None:
    from sklearn.metrics import roc_auc_score  # takes a second to import, and a config is checked without it

    if enrolled.all() or not enrolled.any():
        return None
    return float(roc_auc_score(enrolled, np.maximum(scores, LOWEST_COSINE)))  # -inf where no class is left


def _with_error(rate: float | None, error: str | None = None) -> str:
    if rate is None:
        return "not computed"
    return f"{rate:.3f}" + (f" ({error} {1 - rate:.3f})" if error else "")


def _ratio(hits: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(hits, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def _mean(values: NDArray[np.float64]) -> float | None:
    told = values[~np.isnan(values)]
    return float(told.mean()) if len(told) else None


def _share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
    return float(hits[among].mean()) if among.any() else None
