"""The promotion report: which gate decided, the figures, and a picture of every query whose answer changed."""

from __future__ import annotations

import base64
from html import escape

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateResult, PromotionDecision
from discern.evaluation.metrics import Metrics
from discern.evaluation.retrieval import UNKNOWN, Outcomes
from discern.releases.examine import ReleaseComparison, ReleaseEvaluation
from discern.reports.html import page
from edge_runtime.core.images import Preprocessing, encode_jpeg
from edge_runtime.core.release import Release

THUMBNAIL = Preprocessing(size=96)
TITLES = {"tnir": "TNIR", "tpir": "TPIR", "unseen_tpir": "unseen TPIR", "auroc": "AUROC"}
PICTURES = 200  # at most, so that the page stays one that opens at once


def promotion_report(
    candidate: Release, production: Release | None, comparison: ReleaseComparison, version: DatasetVersion
) -> str:
    """The page as one HTML text that needs no network.

    Args:
        candidate: the release that was judged.
        production: the one it was judged against, if any.
        comparison: verdict and outcomes.
        version: the dataset version whose test queries were answered.
    """
    against = f"release {production.id}" if production else "stated floors (nothing is in production)"
    body = [
        _head(
            candidate, comparison.verdict, f"Compared with {against} on the test split of dataset version {version.id}."
        ),
        _figures(comparison, candidate, production),
        _pictures(comparison),
        _origin(candidate),
    ]
    return page(f"Promotion of {candidate.id}", body)


def empty_report(candidate: Release, verdict: PromotionDecision) -> str:
    """The page for a verdict that needed no comparison."""
    return page(
        f"Promotion of {candidate.id}", [_head(candidate, verdict, "Nothing was compared."), _origin(candidate)]
    )


def _head(candidate: Release, verdict: PromotionDecision, how: str) -> str:
    kind, words = ("good", "Promoted") if verdict.promote else ("bad", "Not promoted")
    rows = "".join(_gate(gate) for gate in verdict.gates)
    return (
        f"<h1>Release {escape(candidate.id)} of {escape(candidate.manifest.name)}</h1>"
        f'<p class="verdict {kind}">{words}: {escape(verdict.reason)}</p><p class="muted">{escape(how)}</p>'
        f"<h2>Gates</h2><table><tr><th>GateResult</th><th>Result</th><th>What was found</th></tr>{rows}</table>"
    )


def _gate(gate: GateResult) -> str:
    kind, word = ("good", "passed") if gate.passed else ("bad", "failed")
    return f'<tr><td>{escape(gate.name)}</td><td class="{kind}">{word}</td><td>{escape(gate.detail)}</td></tr>'


def _figures(comparison: ReleaseComparison, candidate: Release, production: Release | None) -> str:
    ours = _column(candidate, comparison.candidate)
    theirs = _column(production, comparison.production) if production and comparison.production else {}
    rows = [_row(title, value, theirs.get(title, "")) for title, value in ours.items()]
    head = '<tr><th>Figure</th><th class="number">Candidate</th><th class="number">Production</th></tr>'
    return f"<h2>Figures</h2><table>{head}{''.join(rows)}</table>"


def _column(release: Release, examination: ReleaseEvaluation) -> dict[str, str]:
    """Every figure of one release by its title."""
    answers = examination.answers
    figures = {TITLES.get(name, name.replace("_", " ")): _value(answers.metrics, name) for name in Metrics.model_fields}
    return figures | {
        "p95 latency, ms": f"{answers.latency_ms:.1f}",
        "size, MB": f"{answers.size_mb:.1f}",
        "validation FPIR, 95 % interval": _fitted_rate(release, "fpir"),
        "validation TPIR, 95 % interval": _fitted_rate(release, "tpir"),
        "gallery rows": release.manifest.represent or "not stated",
    }


def _fitted_rate(release: Release, name: str) -> str:
    """A rate on the queries that the rule was fitted on, as the release itself states it."""
    stated = release.manifest.metrics
    keys = [f"validation_{name}{end}" for end in ("", "_low", "_high")]
    if not stated.keys() >= set(keys):
        return "not stated"
    value, low, high = (stated[key] for key in keys)
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _row(title: str, ours: str, theirs: str) -> str:
    return f'<tr><td>{escape(title)}</td><td class="number">{ours}</td><td class="number">{theirs}</td></tr>'


def _value(metrics: Metrics, name: str) -> str:
    value = getattr(metrics, name)
    if value is None:
        return "not computed"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _pictures(comparison: ReleaseComparison) -> str:
    ours, theirs = comparison.candidate, comparison.production
    queries = ours.queries
    if theirs is None:
        chosen = np.flatnonzero(ours.answers.answered != ours.answers.truth)
        title, none = "Queries answered wrongly", "Every query was answered right."
    else:
        chosen = np.flatnonzero(ours.answers.answered != theirs.answers.answered)
        title, none = "Queries whose answer changed", "No answer changed."
    figures = [_figure(queries, int(row), ours, theirs) for row in chosen[:PICTURES]]
    more = f'<p class="muted">{len(chosen) - PICTURES} more are not shown.</p>' if len(chosen) > PICTURES else ""
    content = f'<div class="pictures">{"".join(figures)}</div>{more}' if figures else f"<p>{none}</p>"
    return f"<h2>{title} ({len(chosen)} of {len(queries)})</h2>{content}"


def _figure(queries: DatasetVersion, row: int, ours: ReleaseEvaluation, theirs: ReleaseEvaluation | None) -> str:
    jpeg = base64.b64encode(encode_jpeg(THUMBNAIL.apply(queries.pixels(row)), 85)).decode()
    outcomes = ours.outcomes
    truth = outcomes.names[row] + ("" if outcomes.enrolled[row] else " (unknown)")
    lines = [f"<b>{escape(truth)}</b>", f"candidate: {_answer(outcomes, ours.answers.answered, row)}"]
    if theirs is not None:
        lines.append(f"production: {_answer(theirs.outcomes, theirs.answers.answered, row)}")
    caption = f"<figcaption>{'<br>'.join(lines)}</figcaption>"
    return f'<figure><img alt="" src="data:image/jpeg;base64,{jpeg}">{caption}</figure>'


def _answer(outcomes: Outcomes, answered: np.ndarray, row: int) -> str:
    label = "unknown" if answered[row] == UNKNOWN else outcomes.labels[answered[row]]
    kind = "good" if answered[row] == outcomes.truth[row] else "bad"
    return f'<span class="{kind}">{escape(label)}</span> {outcomes.scores[row, 0]:.2f}'


def _origin(candidate: Release) -> str:
    lineage = candidate.manifest.lineage.model_dump()
    rows = "".join(
        f"<tr><td>{escape(key.replace('_', ' '))}</td><td>{escape(str(value))}</td></tr>"
        for key, value in lineage.items()
    )
    return f"<h2>Where it came from</h2><table>{rows}</table>"
