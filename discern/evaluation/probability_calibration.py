"""The probability that the best class is right, fitted on queries of classes that the model never trained on.

Platt scaling (Platt, "Probabilistic outputs for support vector machines", 1999) on two numbers, the best score and its
distance from the second class. An unknown's best class is always wrong, so the probability holds where unknowns are as
frequent as among the queries it was fitted on.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from discern.evaluation.retrieval import SearchResults
from edge_runtime.core.identify import Calibrator, score_and_margin


def fit_calibrator(results: SearchResults) -> Calibrator | None:
    """Fit the calibrator by maximum likelihood; None where all queries are right or all are wrong.

    As in Platt's paper the targets are (n + 1) / (n + 2) and 1 / (m + 2) for n right and m wrong queries instead of 1
    and 0, which keeps the coefficients finite where the two are told apart without fault.

    Args:
        results: queries of classes outside training, unknowns among them.
    """
    right = results.retrieved
    hits, misses = int(right.sum()), int((~right).sum())
    if hits == 0 or misses == 0:
        return None
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    scaler = StandardScaler().fit(score_and_margin(results.scores))
    features = scaler.transform(score_and_margin(results.scores))
    # Every query is given twice, as right and as wrong, weighted by its target. Newton's method with
    # conjugate gradients also ends where score and margin say the same, as in a gallery of one class.
    logistic = LogisticRegression(penalty=None, solver="newton-cg", tol=1e-8, max_iter=1000).fit(
        np.concatenate([features, features]),
        np.repeat([True, False], len(right)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    score, margin = logistic.coef_[0] / scaler.scale_
    intercept = logistic.intercept_[0] - np.dot([score, margin], scaler.mean_)
    return Calibrator(float(score), float(margin), float(intercept))
