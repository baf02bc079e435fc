from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateConfig, GateResult, already_in_production
from discern.evaluation.metrics import Metrics
from discern.releases.comparison import ReleaseComparison, compare_releases
from discern.reports import promotion_page
from discern.reports.decision_record import confusions, record_of, result_word
from discern.reports.promotion_page import Ways, empty_report, promotion_report, promotion_summary
from discern.reports.summary import Origin
from edge_runtime.core.release import Release
from tests.discern import candidates, toy
from tests.discern.reports.page_reader import ReadPage

Candidate = tuple[Release, Metrics]
ORIGIN = Origin(
    made=datetime(2026, 5, 4, 12, 30, tzinfo=UTC), pipeline_run="run <2>", git_commit="f00d", sources=("a&b",)
)
LOWERED = GateConfig(least_tnir=0.1, least_precision=0.1, latency_ms=10_000)


def report(
    candidate: Release,
    production: Release | None,
    comparison: ReleaseComparison,
    version: DatasetVersion,
    **addresses: Any,
) -> str:
    record = record_of(comparison, candidate, production, version.id, ORIGIN.made)
    return promotion_report(candidate, production, comparison, version, record, **addresses)


@pytest.fixture(scope="module")
def page(candidate: Candidate, production: Release, comparison: ReleaseComparison, toy_version: DatasetVersion) -> str:
    return report(candidate[0], production, comparison, toy_version)


@pytest.fixture(scope="module")
def first(candidate: Candidate, toy_version: DatasetVersion) -> ReleaseComparison:
    """A first release that the default limits would refuse."""
    return compare_releases(candidate[0], None, toy_version, LOWERED)


def test_the_page_needs_nothing_beside_it_and_runs_nothing(page: str) -> None:
    seen = ReadPage(page)
    fetched = [address for address in seen.addresses if address not in {"#main", "data:,"}]
    assert fetched
    assert all(address.startswith("data:image/webp;base64,") for address in fetched)
    assert {"script", "iframe", "object"}.isdisjoint(seen.tags)
    assert not re.search(r"https?://|@import|url\(", page)
    assert len(page) < 200_000


def test_names_of_classes_and_runs_are_text(page: str) -> None:
    seen = ReadPage(page)
    assert "<script>" not in page
    assert f"True: {toy.HOSTILE}" in seen.text
    assert f"Query of {toy.HOSTILE}" in seen.alternatives
    assert "run <1>" in seen.text
    assert "toy <pills>" in seen.text


def test_the_decision_and_every_gate_are_told(page: str, comparison: ReleaseComparison) -> None:
    text = ReadPage(page).text
    failed = [gate for gate in comparison.decision.gates if not gate.passed]
    assert failed, "the case shows something"
    counting = [gate for gate in comparison.decision.gates if gate.counts]
    assert f"Not promoted : {len(failed)} of {len(counting)} gates failed: {failed[0].name}" in text
    for gate in comparison.decision.gates:
        assert f"{gate.name} {result_word(gate)} {gate.detail}" in text
    assert text.index("Failed gates") < text.index("Candidate minus production") < text.index("gates met")
    assert text.index("gates met") < text.index("Figures")


def test_differences_are_drawn_with_their_intervals(page: str, comparison: ReleaseComparison) -> None:
    text = ReadPage(page).text
    for name, one in comparison.decision.differences.items():
        ends = f"[{100 * one.low:+.1f}, {100 * one.high:+.1f}]"
        assert f"{name} {100 * one.difference:+.1f} points {ends}" in text
    assert page.count('class="allowed"') == len(comparison.decision.differences)


def test_what_is_taken_for_what_is_counted_for_both(page: str, comparison: ReleaseComparison) -> None:
    pair = confusions(comparison.candidate, comparison.production)[0]
    truth = "An unknown" if pair.truth == "unknown" else pair.truth
    times = f"{pair.candidate} {'time' if pair.candidate == 1 else 'times'}"
    assert f"{truth} is taken for {pair.answered} {times}, by production" in ReadPage(page).text


def test_a_decision_that_cannot_be_told_is_no_refusal(
    candidate: Candidate, production: Release, comparison: ReleaseComparison, toy_version: DatasetVersion
) -> None:
    small = GateResult(name="enough to tell", passed=False, detail="16 queries, 4 too few", told=False)
    decision = comparison.decision.model_copy(update={"gates": (small,), "promote": False})
    html = report(candidate[0], production, replace(comparison, decision=decision), toy_version)
    assert 'class="verdict wait"' in html
    assert "Cannot be told : the test set is too small to tell: enough to tell" in ReadPage(html).text


def test_a_candidate_that_wins_says_on_what(
    candidate: Candidate, production: Release, toy_version: DatasetVersion
) -> None:
    """The comparison the other way round, with the gates that it meets."""
    turned = compare_releases(production, candidate[0], toy_version, GateConfig())
    met = tuple(gate for gate in turned.decision.gates if gate.passed)
    won = turned.decision.model_copy(update={"promote": True, "reason": "better on accuracy", "gates": met})
    html = report(production, candidate[0], replace(turned, decision=won), toy_version)
    text = ReadPage(html).text
    assert 'class="verdict good"' in html
    assert f"Promoted : better on accuracy; all {sum(gate.counts for gate in met)} gates are met" in text
    assert "Failed gates" not in text
    assert "Limits looser" not in text


def test_a_first_release_that_only_lowered_floors_let_through_is_not_plainly_promoted(
    candidate: Candidate, first: ReleaseComparison, toy_version: DatasetVersion
) -> None:
    html = report(candidate[0], None, first, toy_version)
    text = ReadPage(html).text
    assert 'class="verdict wait"' in html
    assert "Promoted by loosened limits : the default limits would refuse it; TNIR: 0.417" in text
    assert "TNIR, at least: 0.1 (default 0.5)" in text
    assert "Production" not in text


def test_limits_that_decided_nothing_leave_the_verdict_as_it_is(
    candidate: Candidate, toy_version: DatasetVersion
) -> None:
    known = toy_version.select(labels={toy.TEST[1]})
    failing = compare_releases(candidate[0], None, known, GateConfig(least_recall_at_1=0.1, latency_ms=0.001))
    html = report(candidate[0], None, failing, known)
    assert 'class="verdict bad"' in html
    assert "recall@1, at least: 0.1 (default 0.5)" in ReadPage(html).text


def test_figures_of_both_releases_stand_side_by_side(page: str, comparison: ReleaseComparison) -> None:
    text = ReadPage(page).text
    assert comparison.production is not None
    new, old = comparison.candidate.answers.metrics, comparison.production.answers.metrics
    assert new.tnir is not None
    assert old.tnir is not None
    assert re.search(
        rf"TNIR {new.tnir:.3f} 95 % over classes: 0\.\d+ to 0\.\d+, 24 queries production {old.tnir:.3f}", text
    )
    assert f"Brier score {new.brier_score:.3f} not computed Mean squared distance" in text
    assert "gallery classes 8 8 Classes that are enrolled." in text
    assert "gallery rows exemplars not stated" in text


def test_the_rates_where_the_rule_was_fitted_come_with_their_intervals(page: str, candidate: Candidate) -> None:
    text, stated = ReadPage(page).text, candidate[0].manifest.metrics
    for rate in ("fpir", "tpir"):
        value, low, high = (stated[f"validation_{rate}{end}"] for end in ("", "_low", "_high"))
        assert f"{rate.upper()}, validation {value:.3f} (95 % over classes: {low:.3f} to {high:.3f}) not stated" in text


def test_every_changed_or_wrong_answer_is_shown_and_no_other(page: str, comparison: ReleaseComparison) -> None:
    assert comparison.production is not None
    new, old = comparison.candidate, comparison.production
    changed = (new.answers.answered != old.answers.answered) | ~new.answers.right
    assert 0 < changed.sum() < 40
    seen = ReadPage(page)
    wanted = Counter(f"Query of {new.results.query_labels[row]}" for row in np.flatnonzero(changed))
    assert Counter(text for text in seen.alternatives if text.startswith("Query")) == wanted
    worse = int((old.answers.right & ~new.answers.right).sum())
    assert f"Got worse ({worse})" in seen.text or not worse
    for who, evaluation in (("Candidate", new), ("Production", old)):
        right = int(evaluation.answers.right[changed].sum())
        assert seen.text.count(f"{who} (right):") == right
        assert seen.text.count(f"{who} (wrong):") == changed.sum() - right


def test_a_wrong_name_stands_beside_the_picture_of_its_class(
    candidate: Candidate, first: ReleaseComparison, toy_version: DatasetVersion
) -> None:
    seen = ReadPage(report(candidate[0], None, first, toy_version))
    answers, results = first.candidate.answers, first.candidate.results
    wrong = np.flatnonzero(~answers.right)
    assert wrong.size
    shown = Counter(results.labels[results.best_class[row]] for row in wrong)
    for pair in confusions(first.candidate, None):
        shown.update(label for label in (pair.truth, pair.answered) if label != "unknown")
    assert Counter(text.removeprefix("Reference picture of ") for text in seen.alternatives if "Ref" in text) == shown
    named = [row for row in wrong if answers.answered[row] >= 0]
    assert f"Given a wrong name ({len(named)})" in seen.text
    assert re.search(r"Answer \(wrong\): \S+ , probability (\d+|over 99|under 1) %", seen.text)
    assert "production:" not in seen.text


def test_no_cosine_is_shown_where_answers_are(page: str) -> None:
    text = ReadPage(page).text
    assert not re.search(r"\d\.\d", text[text.index("Answers that changed") : text.index("Where it came from")])


def test_a_page_of_many_changes_says_what_it_leaves_out(
    candidate: Candidate,
    production: Release,
    comparison: ReleaseComparison,
    toy_version: DatasetVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(promotion_page, "MOST", 1)
    seen = ReadPage(report(candidate[0], production, comparison, toy_version))
    assert re.search(r"\d+ further ones are not shown", seen.text)
    assert sum(text.startswith("Query") for text in seen.alternatives) <= 4


def test_a_comparison_without_changes_shows_what_stays_wrong(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    same = compare_releases(release, release, toy_version, GateConfig())
    text = ReadPage(report(release, release, same, toy_version)).text
    assert f"Wrong before and now, in the same way ({int((~same.candidate.answers.right).sum())})" in text
    assert "Got" not in text


def test_figures_that_could_not_be_computed_are_called_so(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    compared = compare_releases(release, None, toy_version, GateConfig())
    answers = compared.candidate.answers
    answers = answers.model_copy(update={"metrics": answers.metrics.model_copy(update={"auroc": None})})
    unknown = replace(compared, candidate=replace(compared.candidate, answers=answers))
    text = ReadPage(report(release, None, unknown, toy_version)).text
    assert "AUROC not computed" in text


def test_where_nothing_was_compared_the_page_says_why(candidate: Candidate) -> None:
    release, _ = candidate
    text = ReadPage(empty_report(release, already_in_production(release.id))).text
    assert f"Not promoted : {release.id} is in production already" in text
    assert "Nothing was compared." in text
    assert "Figures" not in text
    assert candidates.LINEAGE.git_commit is not None
    assert candidates.LINEAGE.git_commit in text


def test_run_and_links_are_told_where_they_are_known(
    candidate: Candidate, first: ReleaseComparison, toy_version: DatasetVersion
) -> None:
    addresses = {"index": "../index.html", "data_page": "../data/a/b/index.html", "training_page": "../t.html"}
    seen = ReadPage(report(candidate[0], None, first, toy_version, origin=ORIGIN, ways=Ways(**addresses)))
    assert set(addresses.values()) <= set(seen.addresses)
    assert "2026-05-04 12:30 UTC" in seen.text
    assert "run <2>" in seen.text
    assert "a&b" in seen.text
    alone = ReadPage(report(candidate[0], None, first, toy_version))
    assert "nav" not in alone.tags


def test_the_index_learns_the_verdict_and_the_figures(
    candidate: Candidate,
    production: Release,
    comparison: ReleaseComparison,
    first: ReleaseComparison,
    toy_version: DatasetVersion,
) -> None:
    alone = promotion_summary(candidate[0], None, first, toy_version, ORIGIN)
    assert (alone.verdict, alone.word) == ("wait", "Promoted by loosened limits")
    assert alone.figures["TNIR"] == "0.417"
    assert (alone.id, alone.version, alone.use_case) == (candidate[0].id, toy_version.id, candidates.NAME)
    against = promotion_summary(candidate[0], production, comparison, toy_version, ORIGIN)
    assert (against.verdict, against.word) == ("bad", "Not promoted")
    assert re.fullmatch(r"0\.\d{3} against 0\.\d{3}", against.figures["accuracy"])
    assert 0 < len(against.pictures) <= 6
