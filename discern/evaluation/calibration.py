"""The decision rule, fitted on queries of classes that the model never trained on."""

from __future__ import annotations

import numpy as np

from discern.errors import DataError
from discern.evaluation.outcomes import Outcomes
from edge_runtime.identify import DecisionRule

MARGIN_QUANTILES = np.linspace(0.0, 0.5, 26)  # of the strangers' margins: candidates for the rule's margin


def fit_rule(outcomes: Outcomes, fpir: float) -> DecisionRule:
    """Fit threshold and margin: of all pairs that keep the false-identification rate, the one that detects most.

    For each candidate margin the threshold is the lowest at which at most `fpir` of the strangers still get a name.
    Between pairs that detect equally many, the smaller margin wins: it is the simpler rule.

    Args:
        outcomes: queries of classes outside training, strangers among them.
        fpir: the false-identification rate allowed, between 0 and 1.

    Raises:
        DataError: there are no strangers or no enrolled queries, or too few strangers to resolve `fpir`.
    """
    enrolled = outcomes.enrolled
    strangers = int((~enrolled).sum())
    if not enrolled.any() or strangers == 0:
        raise DataError(
            f"A threshold cannot be fitted on {int(enrolled.sum())} enrolled and {strangers} stranger queries: hold out "
            "classes for validation, some of them without gallery photos (`stranger_share`)."
        )
    if strangers * fpir < 1:
        raise DataError(
            f"A false-identification rate of {fpir} cannot be told from {strangers} stranger queries: at least "
            f"{int(np.ceil(1 / fpir))} are needed; hold out more classes or allow a higher rate."
        )
    best, second = outcomes.scores[:, 0].astype(np.float64), outcomes.scores[:, 1].astype(np.float64)
    gaps = np.where(np.isfinite(second), best - second, np.inf)
    candidates = np.unique(np.concatenate([[0.0], np.quantile(gaps[~enrolled], MARGIN_QUANTILES)]))
    allowed = int(np.floor(fpir * strangers))
    choice = (-1.0, 0.0, 0.0)
    for margin in candidates[np.isfinite(candidates)]:
        passing = gaps >= margin
        threshold = _lowest_threshold(best[~enrolled & passing], allowed)
        detected = float((outcomes.retrieved & passing & (best >= threshold)).sum())
        if detected > choice[0]:
            choice = (detected, threshold, float(margin))
    return DecisionRule(threshold=choice[1], margin=choice[2], fpir=fpir)


def _lowest_threshold(strangers: np.ndarray, allowed: int) -> float:
    """The lowest threshold that at most `allowed` of the scores `strangers` reach; -1 where all may."""
    if len(strangers) <= allowed:
        return -1.0
    highest_refused = np.sort(strangers)[::-1][allowed]
    return float(np.nextafter(np.float32(highest_refused), np.float32(2.0)))
