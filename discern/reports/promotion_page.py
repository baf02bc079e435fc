"""The promotion report: the gates that decide, the figures, and a picture of every query whose answer changed."""

from __future__ import annotations

from html import escape

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateResult, PromotionDecision
from discern.evaluation.metrics import Metrics
from discern.evaluation.retrieval import UNKNOWN
from discern.releases.comparison import ReleaseComparison, ReleaseEvaluation
from discern.reports.html import data_uri, page
from discern.reports.thumbnails import Thumbnails
from edge_runtime.core.release import Release

PICTURES = 200  # at most, so that the page stays one that opens at once
TITLES = {
    "recall_at_1": "recall@1",
    "unseen_recall_at_1": "recall@1 of classes that never trained",
    "tpir": "enrolled identified (TPIR)",
    "unseen_tpir": "enrolled identified (TPIR), classes that never trained",
    "tnir": "unknowns refused (TNIR)",
    "auroc": "AUROC",
    "brier_score": "Brier score",
}
ERROR_RATES = {"tpir": "FNIR", "unseen_tpir": "FNIR", "tnir": "FPIR"}  # 1 - the rate, shown beside it


def promotion_report(
    candidate: Release, production: Release | None, comparison: ReleaseComparison, version: DatasetVersion
) -> str:
    """Write the page as one HTML text that needs no network.

    Args:
        candidate: the release that is judged.
        production: the release that it is compared with, if any.
        comparison: the decision and what it rests on.
        version: the dataset version whose test queries are answered.
    """
    against = f"release {production.id}" if production else "stated floors (nothing is in production)"
    subtitle = f"Compared with {against} on the test split of dataset version {version.id}."
    body = [
        _head(candidate, comparison.decision, subtitle),
        _figures(comparison, candidate, production),
        _pictures(comparison),
        _origin(candidate),
    ]
    return page(f"Promotion of {candidate.id}", body)


def empty_report(candidate: Release, decision: PromotionDecision) -> str:
    """Write the page for a decision that needs no comparison."""
    body = [_head(candidate, decision, "Nothing was compared."), _origin(candidate)]
    return page(f"Promotion of {candidate.id}", body)


def _head(candidate: Release, decision: PromotionDecision, subtitle: str) -> str:
    kind, word = ("good", "Promoted") if decision.promote else ("bad", "Not promoted")
    rows = "".join(_gate(gate) for gate in decision.gates)
    return (
        f"<h1>Release {escape(candidate.id)} of {escape(candidate.manifest.name)}</h1>"
        f'<p class="verdict {kind}">{word}: {escape(decision.reason)}</p><p class="muted">{escape(subtitle)}</p>'
        f"<h2>Gates</h2><table><tr><th>Gate</th><th>Result</th><th>Measured</th></tr>{rows}</table>"
    )


def _gate(gate: GateResult) -> str:
    kind, word = ("good", "passed") if gate.passed else ("bad", "failed")
    return f'<tr><td>{escape(gate.name)}</td><td class="{kind}">{word}</td><td>{escape(gate.detail)}</td></tr>'


def _figures(comparison: ReleaseComparison, candidate: Release, production: Release | None) -> str:
    new = _column(candidate, comparison.candidate)
    old = _column(production, comparison.production) if production and comparison.production else {}
    rows = [_row(title, value, old.get(title, "")) for title, value in new.items()]
    head = '<tr><th>Figure</th><th class="number">Candidate</th><th class="number">Production</th></tr>'
    return f"<h2>Figures</h2><table>{head}{''.join(rows)}</table>"


def _column(release: Release, evaluation: ReleaseEvaluation) -> dict[str, str]:
    """Return every figure of one release by its title."""
    answers = evaluation.answers
    figures = {TITLES.get(name, name.replace("_", " ")): _value(answers.metrics, name) for name in Metrics.model_fields}
    return figures | {
        "p95 latency, ms": f"{answers.latency_ms:.1f}",
        "size, MB": f"{answers.size_mb:.1f}",
        "validation FPIR, 95 % interval": _validation_rate(release, "fpir"),
        "validation TPIR, 95 % interval": _validation_rate(release, "tpir"),
        "gallery rows": release.manifest.represent or "not stated",
    }


def _validation_rate(release: Release, name: str) -> str:
    """Return a rate on the queries that the rule is fitted on, as the release itself states it."""
    stated = release.manifest.metrics
    keys = [f"validation_{name}{ending}" for ending in ("", "_low", "_high")]
    if not stated.keys() >= set(keys):
        return "not stated"
    value, low, high = (stated[key] for key in keys)
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _row(title: str, candidate: str, production: str) -> str:
    cells = f'<td class="number">{candidate}</td><td class="number">{production}</td>'
    return f"<tr><td>{escape(title)}</td>{cells}</tr>"


def _value(metrics: Metrics, name: str) -> str:
    value = getattr(metrics, name)
    if value is None:
        return "not computed"
    if not isinstance(value, float):
        return str(value)
    error = f" ({ERROR_RATES[name]} {1 - value:.3f})" if name in ERROR_RATES else ""
    return f"{value:.3f}{error}"


def _pictures(comparison: ReleaseComparison) -> str:
    """Show the queries whose answer changed; where nothing is in production, those answered wrongly."""
    candidate, production = comparison.candidate, comparison.production
    if production is None:
        chosen = np.flatnonzero(~candidate.answers.right)
        title, none = "Queries answered wrongly", "Every query was answered right."
    else:
        chosen = np.flatnonzero(candidate.answers.answered != production.answers.answered)
        title, none = "Queries whose answer changed", "No answer changed."
    picture_of = Thumbnails().of
    figures = [
        f'<figure><img alt="" src="{data_uri(picture_of(candidate.queries, row))}">{_caption(row, comparison)}</figure>'
        for row in chosen[:PICTURES].tolist()
    ]
    more = f'<p class="muted">{len(chosen) - PICTURES} more are not shown.</p>' if len(chosen) > PICTURES else ""
    content = f'<div class="pictures">{"".join(figures)}</div>{more}' if figures else f"<p>{none}</p>"
    return f"<h2>{title} ({len(chosen)} of {len(candidate.queries)})</h2>{content}"


def _caption(row: int, comparison: ReleaseComparison) -> str:
    results = comparison.candidate.results
    truth = results.query_labels[row] + ("" if results.enrolled[row] else " (unknown)")
    lines = [f"<b>{escape(truth)}</b>", f"candidate: {_answer(comparison.candidate, row)}"]
    if comparison.production is not None:
        lines.append(f"production: {_answer(comparison.production, row)}")
    return f"<figcaption>{'<br>'.join(lines)}</figcaption>"


def _answer(evaluation: ReleaseEvaluation, row: int) -> str:
    results, answered = evaluation.results, evaluation.answers.answered[row]
    label = "unknown" if answered == UNKNOWN else results.labels[answered]
    kind = "good" if answered == results.truth[row] else "bad"
    return f'<span class="{kind}">{escape(label)}</span> {results.scores[row, 0]:.2f}'


def _origin(candidate: Release) -> str:
    lineage = candidate.manifest.lineage.model_dump()
    rows = "".join(
        f"<tr><td>{escape(key.replace('_', ' '))}</td><td>{escape(str(value))}</td></tr>"
        for key, value in lineage.items()
    )
    return f"<h2>Where it came from</h2><table>{rows}</table>"
