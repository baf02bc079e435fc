"""The decision rule, fitted on queries of classes that the model never trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from discern.errors import DataError
from discern.evaluation.openset import allowed_false_positives, lowest_threshold
from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import LOWEST_COSINE, DecisionRule, decide

ROOM = 1e-4  # of cosine; of one photo searched alone and among others it was seen to differ by 1.2e-7
MARGIN_QUANTILES = np.linspace(0.0, 0.5, 26)  # of the unknowns' margins: candidates for the rule's margin


def fit_rule(
    results: SearchResults, fpir: float, elsewhere: NDArray[np.float32] | None = None, share: float | None = None
) -> DecisionRule:
    """Fit threshold and margin: of all pairs that keep the FPIR, the pair with the highest TPIR.

    For each candidate margin the threshold is the lowest at which at most `fpir` of the unknowns still get a name, and
    as few of the photos from elsewhere: these are easily told apart, and would hide the others in one common share.
    Fewer unknowns than 1 / `fpir` cannot resolve it: none of them may get a name then. Between pairs of equal TPIR the
    smaller margin wins: it is the simpler rule.

    Args:
        results: queries of classes outside training, unknowns among them.
        fpir: the false-identification rate that is promised, between 0 and 1.
        elsewhere: [n, 2] cosines of the best and the second class of photos of other things.
        share: the rate on these very queries, where it is to be another than `fpir`.

    Raises:
        DataError: there is no enrolled query, or neither an unknown nor a photo from elsewhere.
    """
    enrolled = results.enrolled
    foreign = [results.scores[~enrolled]] + ([] if elsewhere is None else [elsewhere])
    foreign = [scores for scores in foreign if len(scores)]
    check_fitting(int(enrolled.sum()), sum(map(len, foreign)))
    most_identified, chosen = -1, DecisionRule(LOWEST_COSINE, 0.0, fpir)
    for margin in candidate_margins(np.concatenate(foreign)):
        threshold = max(_threshold(scores, margin, fpir if share is None else share) for scores in foreign)
        rule = DecisionRule(threshold, margin, fpir)
        identified = int((results.retrieved & decide(results.scores, rule)).sum())
        if identified > most_identified:
            most_identified, chosen = identified, rule
    return with_room(chosen, np.concatenate([results.scores, *foreign]))


def _threshold(unknowns: NDArray[np.float32], margin: float, fpir: float) -> float:
    """Return the lowest threshold at which `margin` and it keep the FPIR on the scores [u, 2] of unknowns."""
    # The device's own `decide`, since its rounding decides what lies on the margin.
    passing = decide(unknowns, DecisionRule(-np.inf, margin, fpir))
    return lowest_threshold(unknowns[passing, 0], allowed_false_positives(len(unknowns), fpir))


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


def check_fitting(enrolled: int, unknowns: int) -> None:
    """Refuse numbers of enrolled queries and of unknowns that no rule can be fitted on.

    Raises:
        DataError: as `fit_rule`.
    """
    if enrolled == 0 or unknowns == 0:
        raise DataError(
            f"A threshold cannot be fitted on {enrolled} enrolled and {unknowns} unknown queries: give the validation "
            "split photos of enrolled classes, and of two classes at least, or photos from elsewhere "
            "(`packaging: {elsewhere: built-in}`)."
        )


def candidate_margins(unknowns: NDArray[np.float32]) -> list[float]:
    """Return the margins that are tried, ascending: 0, and quantiles of the margins of `unknowns` [u, 2]."""
    scores = unknowns.astype(np.float64)
    with np.errstate(invalid="ignore"):  # -inf - -inf, where a query has no class left
        gaps = scores[:, 0] - scores[:, 1]
    quantiles = np.quantile(gaps[np.isfinite(gaps)], MARGIN_QUANTILES) if np.isfinite(gaps).any() else np.empty(0)
    return [float(margin) for margin in np.unique(np.concatenate([[0.0], quantiles]))]
