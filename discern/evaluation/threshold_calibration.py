"""The decision rule, fitted on queries of classes that the model never trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from discern.errors import DataError
from discern.evaluation.confidence import Rate, exact_rate
from discern.evaluation.openset import allowed_false_positives, lowest_threshold
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import LOWEST_COSINE, DecisionRule, decide

ROOM = 1e-4  # of cosine; of one photo searched alone and among others it was seen to differ by 1.2e-7
MARGIN_QUANTILES = np.linspace(0.0, 0.5, 26)  # of the unknowns' margins: candidates for the rule's margin


class RuleRates(BaseModel):
    """FPIR and TPIR of a set of queries under a rule, with exact 95 % intervals.

    On the queries that the rule is fitted on they are a little optimistic.

    Attributes:
        fpir: share of the unknowns that get a name; None where there is no unknown.
        tpir: share of the enrolled queries that get the right name; None where there is none.
    """

    model_config = ConfigDict(frozen=True)

    fpir: Rate | None
    tpir: Rate | None

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
        return figures


def rule_rates(results: SearchResults, rule: DecisionRule) -> RuleRates:
    """Measure FPIR and TPIR of `results` under `rule`."""
    enrolled, named = results.enrolled, decide(results.scores, rule)
    return RuleRates(
        fpir=exact_rate(int((named & ~enrolled).sum()), int((~enrolled).sum())),
        tpir=exact_rate(int((named & results.retrieved).sum()), int(enrolled.sum())),
    )


def fit_rule(results: SearchResults, fpir: float) -> DecisionRule:
    """Fit threshold and margin: of all pairs that keep the FPIR, the pair with the highest TPIR.

    For each candidate margin the threshold is the lowest at which at most `fpir` of the unknowns still get a name.
    Between pairs of equal TPIR the smaller margin wins: it is the simpler rule.

    Args:
        results: queries of classes outside training, unknowns among them.
        fpir: the false-identification rate allowed, between 0 and 1.

    Raises:
        DataError: there are no unknowns or no enrolled queries, or too few unknowns to resolve `fpir`.
    """
    enrolled = results.enrolled
    unknowns = int((~enrolled).sum())
    check_fitting(int(enrolled.sum()), unknowns, fpir)
    most_identified, chosen = -1, DecisionRule(LOWEST_COSINE, 0.0, fpir)
    for margin in candidate_margins(results):
        # The device's own `decide`, since its rounding decides what lies on the margin.
        passing = decide(results.scores, DecisionRule(-np.inf, margin, fpir))
        threshold = lowest_threshold(results.scores[~enrolled & passing, 0], allowed_false_positives(unknowns, fpir))
        rule = DecisionRule(threshold, margin, fpir)
        identified = int((results.retrieved & decide(results.scores, rule)).sum())
        if identified > most_identified:
            most_identified, chosen = identified, rule
    return with_room(chosen, results.scores)


def with_room(rule: DecisionRule, scores: NDArray[np.float32]) -> DecisionRule:
    """Return a rule that decides alike, with limits at least `ROOM` from every score, or midway where room is less.

    A limit in the last digit above a score would let the same photo pass where its cosines are summed in another order,
    as on a device, which searches for one photo at a time.

    Args:
        rule: the rule.
        scores: [q, 2] cosines of the best and the second class, as `decide` takes them.
    """
    clear = scores[decide(scores, replace(rule, threshold=-np.inf))].astype(np.float64)
    high = scores[decide(scores, replace(rule, margin=0.0))].astype(np.float64)
    roomy = DecisionRule(
        _apart_from(clear[:, 0], rule.threshold),
        _apart_from(high[:, 0] - high[:, 1], rule.margin) if rule.margin else 0.0,
        rule.fpir,
    )
    return roomy if np.array_equal(decide(scores, roomy), decide(scores, rule)) else rule


def _apart_from(values: NDArray[np.float64], limit: float) -> float:
    """Return the limit nearest to `limit` that is `ROOM` away from the values on both sides, or midway between them."""
    below = values[values < limit].max(initial=-np.inf)
    above = values[values >= limit].min(initial=np.inf)
    room = min(ROOM, (above - below) / 2)
    return float(np.float32(np.clip(limit, below + room, above - room)))  # as `decide` compares


def check_fitting(enrolled: int, unknowns: int, fpir: float) -> None:
    """Refuse numbers of enrolled queries and of unknowns that no rule can be fitted on.

    Raises:
        DataError: as `fit_rule`.
    """
    if enrolled == 0 or unknowns == 0:
        raise DataError(
            f"A threshold cannot be fitted on {enrolled} enrolled and {unknowns} unknown queries: hold out classes "
            "for validation, some of them without gallery photos (`unknown_share`)."
        )
    if allowed_false_positives(unknowns, fpir) < 1:
        raise DataError(
            f"A false-identification rate of {fpir} cannot be measured on {unknowns} unknown queries: at least "
            f"{int(np.ceil(1 / fpir - 1e-9))} are needed; hold out more classes or allow a higher rate."
        )


def candidate_margins(results: SearchResults) -> list[float]:
    """Return the margins that are tried, ascending: 0, and quantiles of the unknowns' margins."""
    unknowns = results.scores[~results.enrolled].astype(np.float64)
    gaps = unknowns[:, 0] - unknowns[:, 1]
    quantiles = np.quantile(gaps[np.isfinite(gaps)], MARGIN_QUANTILES) if np.isfinite(gaps).any() else np.empty(0)
    return [float(margin) for margin in np.unique(np.concatenate([[0.0], quantiles]))]
