from __future__ import annotations

import base64
import dataclasses
import io
import re
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.metrics import Metrics
from discern.evaluation.plots.embedding_map import SIDE
from discern.reports import candidate_page
from discern.reports.candidate_page import asked_classes, depiction_page, training_summary
from discern.reports.candidate_plots import NO_PROBABILITY, NO_QUERIES, Depiction, depict_release
from discern.reports.summary import Origin
from edge_runtime.core.manifest import Counts
from edge_runtime.core.release import Release
from tests.discern import candidates, toy
from tests.discern.reports.page_reader import ReadPage

Candidate = tuple[Release, Metrics]
ORIGIN = Origin(made=datetime(2026, 5, 4, 12, 30, tzinfo=UTC), pipeline_run="run <2>", mlflow_run="abc123")


@pytest.fixture(scope="module")
def seen(candidate: Candidate, toy_version: DatasetVersion) -> Depiction:
    return depict_release(candidate[0], toy_version)


@pytest.fixture(scope="module")
def page(candidate: Candidate, toy_version: DatasetVersion, seen: Depiction) -> str:
    return depiction_page(candidate[0], toy_version, seen)


def test_every_photo_is_small_and_the_map_is_whole(page: str, seen: Depiction) -> None:
    sources = re.findall(r'src="data:image/webp;base64,([^"]+)"', page)
    sizes = [Image.open(io.BytesIO(base64.b64decode(data))).size for data in sources]
    assert sizes.count((SIDE, SIDE)) == 1
    assert {size for size in sizes if size != (SIDE, SIDE)} == {(96, 96)}
    assert len(page) < 2_000_000


def test_it_needs_no_network_and_runs_nothing(page: str) -> None:
    assert not re.search(r"https?://|@import|url\(|<script|<iframe", page)
    assert toy.HOSTILE not in page
    assert "toy &lt;pills&gt;" in page


def test_release_and_version_are_named(page: str, candidate: Candidate, toy_version: DatasetVersion) -> None:
    text = ReadPage(page).text
    assert f"Training of toy <pills> {candidate[0].id}" in text
    assert f"dataset version {toy_version.id}" in text


def stating(release: Release, metrics: dict[str, float], **counts: int) -> Release:
    """The release with other counts and figures."""
    stated = Counts.model_validate({"classes": 500, "gallery": 900, "golden": 3, **counts})
    manifest = release.manifest.model_copy(update={"counts": stated, "metrics": metrics})
    return dataclasses.replace(release, manifest=manifest)


def test_the_head_says_what_was_measured_on_which_classes(candidate: Candidate, page: str) -> None:
    assert "8 classes are enrolled, none of them in the training split; the test asked" in ReadPage(page).text
    measured = {"classes_measured_as_known": 1038, "classes_measured_as_unknown": 50}
    assert asked_classes(stating(candidate[0], {}, trained_classes=400, **measured)) == (
        "500 classes are enrolled, 400 of them in the training split; the test asked 1,038 as known and 50 as unknown."
    )
    one = dict.fromkeys(("classes", "trained_classes", "classes_measured_as_known"), 1)
    release = stating(candidate[0], {"elsewhere_tnir": 0.9}, **one, classes_measured_as_unknown=0)
    assert asked_classes(release) == (
        "1 class is enrolled, 1 of them in the training split; the test asked 1 as known and none as unknown, besides "
        "photos from elsewhere."
    )


def test_an_earlier_release_says_how_many_classes_are_enrolled(
    candidate: Candidate, toy_version: DatasetVersion, seen: Depiction
) -> None:
    page = ReadPage(depiction_page(stating(candidate[0], {}), toy_version, seen)).text
    assert "with 500 enrolled classes, measured on the test split" in page
    assert "in the training split" not in page


def test_a_single_class_is_judged_by_photos_from_elsewhere(
    candidate: Candidate, toy_version: DatasetVersion, seen: Depiction
) -> None:
    """Where no class can be left out, the release's own figure is that of unknowns."""
    assert seen.test is not None
    results = seen.test.results
    enrolled = np.flatnonzero(results.enrolled)
    test = dataclasses.replace(seen.test, results=results.take(enrolled), answers=seen.test.answers[enrolled])
    known = dataclasses.replace(seen, test=test)
    for metrics, told in (({"elsewhere_tnir": 0.25}, "TNIR is 0.250, below"), ({}, "TNIR could not be computed")):
        summary = training_summary(stating(candidate[0], metrics), toy_version, known, ORIGIN)
        assert told in summary.reason
        assert list(summary.figures)[2] == "TNIR, elsewhere"


def test_the_head_judges_by_the_default_floors(
    candidate: Candidate, toy_version: DatasetVersion, page: str, monkeypatch: pytest.MonkeyPatch, seen: Depiction
) -> None:
    assert "Trained, below the default floors : TNIR is 0.417, below 0.500" in ReadPage(page).text
    lower = candidate_page.GateConfig(least_tnir=0.3, least_precision=0.3)
    monkeypatch.setattr(candidate_page, "GateConfig", lambda: lower)
    better = ReadPage(depiction_page(candidate[0], toy_version, seen)).text
    assert "Trained : 23 of 40 test queries answered right" in better


def test_every_query_of_the_grid_stands_beside_its_nearest_classes(page: str, seen: Depiction) -> None:
    alternatives = ReadPage(page).alternatives
    expected = []
    assert seen.test is not None
    for row in seen.grid:
        expected.append(f"Query of {seen.test.results.query_labels[row.query]}")
        expected += [f"Enrolled photo of {near.label}" for near in row.neighbours]
    assert [text for text in alternatives if text.startswith(("Query", "Enrolled photo"))] == expected


def test_the_pairs_are_text_beside_two_pictures(page: str, seen: Depiction) -> None:
    assert seen.confusions is not None
    read = ReadPage(page)
    assert sum(text.startswith("Reference") for text in read.alternatives) == 2 * len(seen.confusions.pairs)
    worst = seen.confusions.pairs[0]
    assert f"{worst.first_named_second} of {worst.first_queries} queries get the other's name" in read.text


def test_the_reliability_is_drawn_and_told(page: str, seen: Depiction) -> None:
    assert seen.reliability is not None
    filled = [entry for entry in seen.reliability.bins if entry.observed is not None]
    assert page.count('<path class="spread"') == len(filled)
    assert "Stated Queries Stated, mean Right 95 % interval" in ReadPage(page).text


def test_what_could_not_be_shown_is_told(candidate: Candidate, toy_version: DatasetVersion, seen: Depiction) -> None:
    alone = dataclasses.replace(seen, test=None, grid=(), confusions=None, reliability=None)
    text = ReadPage(depiction_page(candidate[0], toy_version, alone)).text
    assert text.count(NO_QUERIES) == 4
    assert "Trained, not measured" in text
    silent = ReadPage(depiction_page(candidate[0], toy_version, dataclasses.replace(seen, reliability=None))).text
    assert NO_PROBABILITY in silent


def test_run_and_links_are_told_where_they_are_known(
    candidate: Candidate, toy_version: DatasetVersion, seen: Depiction, page: str
) -> None:
    addresses = {"index": "../../../index.html", "data_page": "../../../data/a/b/index.html"}
    read = ReadPage(depiction_page(candidate[0], toy_version, seen, origin=ORIGIN, **addresses))
    assert set(addresses.values()) <= set(read.addresses)
    assert "MLflow run abc123 (`discern mlflow` shows it)" in read.text
    assert "nav" not in ReadPage(page).tags


def test_the_index_learns_the_verdict_and_the_figures(
    candidate: Candidate, toy_version: DatasetVersion, seen: Depiction
) -> None:
    summary = training_summary(candidate[0], toy_version, seen, ORIGIN)
    assert (summary.verdict, summary.word) == ("wait", "Trained, below the default floors")
    assert (summary.id, summary.version, summary.use_case) == (candidate[0].id, toy_version.id, candidates.NAME)
    assert summary.figures["recall@1"] == "0.812"
    assert len(summary.pictures) == 6
    unmeasured = dataclasses.replace(seen, test=None, grid=(), confusions=None, reliability=None)
    assert training_summary(candidate[0], toy_version, unmeasured, ORIGIN).figures == {}


def test_the_gallery_doctor_says_what_each_photo_does(page: str, seen: Depiction) -> None:
    read = ReadPage(page)
    assert seen.doctor is not None
    assert f"enrolled photos {seen.doctor.photos}" in read.text
    assert seen.doctor.needs() in read.text
    assert sum(text.startswith("Photo in the gallery") for text in read.alternatives) == len(seen.doctor.shown)
    for one in seen.doctor.shown:
        assert f"harms {one.report.harm}" in read.text
