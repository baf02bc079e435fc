from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gates import GateConfig, already_in_production
from discern.evaluation.metrics import Metrics
from discern.releases.comparison import ReleaseComparison, compare_releases
from discern.reports import promotion_page
from discern.reports.promotion_page import empty_report, promotion_report
from edge_runtime.core.release import Release
from tests.discern import candidates, toy

Candidate = tuple[Release, Metrics]


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.captions: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}]
        if tag == "figcaption":
            self.captions.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.captions and "figure" in self.tags:
            self.captions[-1] += data


@pytest.fixture
def page(candidate: Candidate, production: Release, comparison: ReleaseComparison, toy_version: DatasetVersion) -> str:
    return promotion_report(candidate[0], production, comparison, toy_version)


def test_the_page_needs_no_network_and_runs_nothing(page: str) -> None:
    found = Page(page)
    assert found.addresses
    assert all(address.startswith("data:image/webp;base64,") for address in found.addresses)
    assert {"script", "link", "iframe", "object"}.isdisjoint(found.tags)
    assert not re.search(r"https?://|@import|url\(", page)


def test_names_of_classes_and_runs_are_text(page: str) -> None:
    found = Page(page)
    assert "<script>" not in page
    assert any(toy.HOSTILE in caption for caption in found.captions)
    assert "run <1>" in found.text
    assert "toy <pills>" in found.text


def test_the_decision_and_every_gate_are_told(page: str, comparison: ReleaseComparison) -> None:
    found = Page(page)
    assert ("Promoted: " in found.text) == comparison.decision.promote
    assert comparison.decision.reason in found.text
    for gate in comparison.decision.gates:
        assert f"{gate.name}{'passed' if gate.passed else 'failed'}{gate.detail}" in found.text


def test_figures_of_both_releases_stand_side_by_side(page: str, comparison: ReleaseComparison) -> None:
    found = Page(page)
    assert comparison.production is not None
    new, old = comparison.candidate.answers.metrics, comparison.production.answers.metrics
    assert new.tnir is not None
    assert old.tnir is not None
    rates = [f"{tnir:.3f} (FPIR {1 - tnir:.3f})" for tnir in (new.tnir, old.tnir)]
    assert f"unknowns refused (TNIR){''.join(rates)}" in found.text
    assert "gallery classes88" in found.text
    assert "p95 latency, ms" in found.text
    assert f"Brier score{new.brier_score:.3f}not computed" in found.text


def test_the_rates_where_the_rule_was_fitted_come_with_their_intervals(page: str, candidate: Candidate) -> None:
    found, stated = Page(page), candidate[0].manifest.metrics
    for title, name in (("FPIR", "fpir"), ("TPIR", "tpir")):
        value, low, high = (stated[f"validation_{name}{end}"] for end in ("", "_low", "_high"))
        assert f"validation {title}, 95 % interval{value:.3f} [{low:.3f}, {high:.3f}]not stated" in found.text
    assert "gallery rowsexemplarsnot stated" in found.text


def test_every_changed_answer_is_shown_and_no_other(page: str, comparison: ReleaseComparison) -> None:
    assert comparison.production is not None
    new, old = comparison.candidate, comparison.production
    changed = np.flatnonzero(new.answers.answered != old.answers.answered)
    assert 0 < len(changed) < 24
    found = Page(page)
    assert f"Queries whose answer changed ({len(changed)} of 24)" in found.text
    assert len(found.captions) == len(changed) == found.tags.count("img")
    for caption, row in zip(found.captions, changed, strict=True):
        truth = new.results.query_labels[row]
        assert caption.startswith(truth)
        assert ("(unknown)" in caption) == (truth in toy.TEST_UNKNOWNS)
        for who, evaluation in (("candidate", new), ("production", old)):
            number = evaluation.answers.answered[row]
            assert f"{who}: {'unknown' if number < 0 else evaluation.results.labels[number]}" in caption


def test_a_first_release_shows_what_it_answers_wrongly(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    first = compare_releases(release, None, toy_version, GateConfig())
    found = Page(promotion_report(release, None, first, toy_version))
    wrong = first.candidate.answers.answered != first.candidate.answers.truth
    assert len(found.captions) == wrong.sum() > 0
    assert "stated floors (nothing is in production)" in found.text
    assert "production:" not in found.text


def test_a_page_of_many_changes_says_what_it_leaves_out(
    candidate: Candidate,
    production: Release,
    comparison: ReleaseComparison,
    toy_version: DatasetVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(promotion_page, "PICTURES", 2)
    found = Page(promotion_report(candidate[0], production, comparison, toy_version))
    assert found.tags.count("img") == 2
    assert re.search(r"\d+ more are not shown", found.text)


def test_a_comparison_without_changes_says_so(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    same = compare_releases(release, release, toy_version, GateConfig(resamples=200))
    found = Page(promotion_report(release, release, same, toy_version))
    assert "No answer changed." in found.text
    assert "img" not in found.tags


def test_figures_that_could_not_be_computed_are_called_so(candidate: Candidate, toy_version: DatasetVersion) -> None:
    release, _ = candidate
    known = toy_version.select(labels=set(toy.LABELS) - set(toy.TEST_UNKNOWNS))
    found = Page(promotion_report(release, None, compare_releases(release, None, known, GateConfig()), known))
    assert "AUROCnot computed" in found.text


def test_where_nothing_was_compared_the_page_says_why(candidate: Candidate) -> None:
    release, _ = candidate
    found = Page(empty_report(release, already_in_production(release.id)))
    assert f"Not promoted: {release.id} is in production already" in found.text
    assert candidates.LINEAGE.git_commit is not None
    assert candidates.LINEAGE.git_commit in found.text


def test_the_page_stays_small(page: str) -> None:
    assert len(page) < 200_000
