from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.metrics import Metrics
from discern.reports.candidate_page import TITLES, depiction_page
from discern.reports.candidate_plots import NO_QUERIES, Depiction, depict_release
from edge_runtime.core.release import Release
from tests.discern import toy

Candidate = tuple[Release, Metrics]


@pytest.fixture(scope="module")
def seen(candidate: Candidate, toy_version: DatasetVersion) -> Depiction:
    return depict_release(candidate[0], toy_version)


@pytest.fixture(scope="module")
def page(candidate: Candidate, toy_version: DatasetVersion, seen: Depiction) -> str:
    return depiction_page(candidate[0], toy_version, seen)


def test_every_picture_is_in_the_page_at_its_size(page: str, seen: Depiction) -> None:
    sources = re.findall(r'src="data:image/webp;base64,([^"]+)"', page)
    sizes = [Image.open(io.BytesIO(base64.b64decode(data))).size for data in sources]
    assert sizes == [seen.pictures[name].size for name in TITLES]
    assert len(page) < 2_000_000


def test_it_needs_no_network_and_runs_nothing(page: str) -> None:
    assert not re.search(r"https?://|@import|url\(|<script|<link|<iframe", page)
    assert toy.HOSTILE not in page
    assert "toy &lt;pills&gt;" in page


def test_release_and_version_are_named(page: str, candidate: Candidate, toy_version: DatasetVersion) -> None:
    assert candidate[0].id in page
    assert toy_version.id in page


def test_the_worst_pairs_stand_in_a_table(page: str, seen: Depiction) -> None:
    assert seen.confusions is not None
    assert page.count("<tr>") == 1 + len(seen.confusions.pairs)
    worst = seen.confusions.pairs[0]
    assert f'<td class="number">{worst.named}</td><td class="number">{worst.nearest}</td>' in page


def test_what_could_not_be_shown_is_told(candidate: Candidate, toy_version: DatasetVersion) -> None:
    picture = Image.fromarray(np.zeros((20, 20, 3), np.uint8))
    missing = dict.fromkeys(set(TITLES) - {"embedding_map"}, NO_QUERIES)
    page = depiction_page(candidate[0], toy_version, Depiction({"embedding_map": picture}, missing, None))
    assert page.count(NO_QUERIES) == 3
    assert page.count("<img ") == 1
    assert all(title in page for title, _ in TITLES.values())
