"""The promise of a decision rule: FPIR and TPIR on classes that it was not fitted on, with intervals over classes.

A rule keeps its FPIR on the very queries that it is fitted on, whatever becomes of others. So it is fitted anew without
some of the classes, and asked about these (cross-fitting): a rule that saw none of its class answers every query.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from discern.errors import DataError
from discern.evaluation.confidence import Rate, class_rate
from discern.evaluation.retrieval import SearchResults
from discern.evaluation.threshold_calibration import fit_rule
from edge_runtime.core.identify import DecisionRule, decide

FOLDS = 10
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)  # of the promised rate, to allow on the queries that are fitted on


class RuleRates(BaseModel):
    """FPIR and TPIR of a rule on classes that it was not fitted on, with 95 % intervals over classes.

    Attributes:
        fpir: share of the unknowns that get a name; None where there is no unknown.
        tpir: share of the enrolled queries that get the right name; None where there is none.
        classes: classes of the unknowns.
    """

    model_config = ConfigDict(frozen=True)

    fpir: Rate | None
    tpir: Rate | None
    classes: int = 0

    def figures(self) -> dict[str, float]:
        """Return each rate that could be computed with its interval and number of queries, as in `fpir_low`."""
        figures: dict[str, float] = {}
        for name, rate in (("fpir", self.fpir), ("tpir", self.tpir)):
            if rate is not None:
                figures |= {
                    name: rate.value,
                    f"{name}_low": rate.low,
                    f"{name}_high": rate.high,
                    f"{name}_queries": float(rate.queries),
                }
        return figures | {"fpir_classes": float(self.classes)}


@dataclass(frozen=True)
class PromisedRule:
    """A decision rule and what it does on classes that it was not fitted on."""

    rule: DecisionRule
    rates: RuleRates


def fit_promised_rule(
    results: SearchResults, fpir: float, elsewhere: NDArray[np.float32] | None = None
) -> PromisedRule:
    """Fit the rule so that it keeps `fpir` on other classes, as far as cross-fitting tells.

    A pair of limits that is chosen for its TPIR and just keeps a rate on some queries keeps it on others too seldom: of
    ten worlds of rendered pills the rate met was 1.3 times the stated one. So less is allowed on the queries that are
    fitted on, until rules that saw none of a query's class keep the rate; with few classes nothing may, and the rates
    say so.

    Args:
        results: queries of classes outside training, unknowns among them.
        fpir: the false-identification rate that is promised, between 0 and 1.
        elsewhere: [n, 2] cosines of photos of other things, as for `fit_rule`.

    Raises:
        DataError: as `fit_rule`.
    """
    for share in SHARES:
        rates = cross_fitted_rates(results, fpir, elsewhere, share=share)
        if rates.fpir is None or rates.fpir.value <= fpir:
            break
    return PromisedRule(fit_rule(results, fpir, elsewhere, fpir * share), rates)


def cross_fitted_rates(
    results: SearchResults,
    fpir: float,
    elsewhere: NDArray[np.float32] | None = None,
    *,
    share: float = 1.0,
    folds: int = FOLDS,
) -> RuleRates:
    """Measure the rule that `fit_rule` fits, on classes that it was not fitted on.

    Args:
        results: queries of classes outside training, unknowns among them.
        fpir: the false-identification rate that is promised, between 0 and 1.
        elsewhere: [n, 2] cosines of photos of other things, as for `fit_rule`.
        share: of the rate, to allow on the queries that are fitted on.
        folds: parts that the classes are divided into.

    Returns:
        The rates; None where the classes are too few to fit a rule without some of them.
    """
    named = cross_fitted_names(results, fpir, elsewhere, share=share, folds=folds)
    if named is None:
        return RuleRates(fpir=None, tpir=None)
    labels = np.array(results.query_labels)
    unknown = ~results.enrolled
    return RuleRates(
        fpir=class_rate(named[unknown], labels[unknown].tolist()),
        tpir=class_rate((named & results.retrieved)[~unknown], labels[~unknown].tolist()),
        classes=len(set(labels[unknown])),
    )


def cross_fitted_names(
    results: SearchResults,
    fpir: float,
    elsewhere: NDArray[np.float32] | None = None,
    *,
    share: float = 1.0,
    folds: int = FOLDS,
) -> NDArray[np.bool_] | None:
    """Return [q] whether a query gets a name by a rule that saw none of its class; None where none can be fitted.

    The arguments are those of `cross_fitted_rates`.
    """
    fold_of = _folds(results.query_labels, folds)
    named = np.zeros(len(fold_of), dtype=bool)
    for fold in np.unique(fold_of):
        asked = fold_of == fold
        try:
            rule = fit_rule(results.take(~asked), fpir, elsewhere, fpir * share)
        except DataError:
            return None
        named[asked] = decide(results.scores[asked], rule)
    return named


def _folds(labels: tuple[str, ...], folds: int) -> NDArray[np.int64]:
    """Divide the classes evenly, in an order that their names do not tell; [q] the part of each query."""
    order = sorted(set(labels), key=lambda label: (zlib.crc32(label.encode()), label))
    fold_of = {label: number % folds for number, label in enumerate(order)}
    return np.array([fold_of[label] for label in labels], dtype=np.int64)
