"""The promotion page and the training page in a real browser: every screen, both colour schemes, every reader."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.metrics import Metrics
from discern.releases.comparison import ReleaseComparison
from discern.reports.candidate_page import depiction_page
from discern.reports.candidate_plots import depict_release
from discern.reports.decision_record import record_of
from discern.reports.promotion_page import Ways, promotion_report
from discern.reports.summary import Origin
from edge_runtime.core.release import Release
from tests.browser import CHROMIUM, FLAGS

pytestmark = [pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium"), pytest.mark.slow]
Candidate = tuple[Release, Metrics]
Scheme = Literal["light", "dark"]
PHONE, TALL = 390, 844  # pixels
ORIGIN = Origin(made=datetime(2026, 5, 4, tzinfo=UTC), pipeline_run="promotion_pipeline-" + "0123456789" * 6)


@pytest.fixture(scope="module")
def pages(
    candidate: Candidate,
    production: Release,
    comparison: ReleaseComparison,
    toy_version: DatasetVersion,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with both pages, as the site has them: with a run and with links."""
    folder, release = tmp_path_factory.mktemp("pages"), candidate[0]
    record = record_of(comparison, release, production, toy_version.id, ORIGIN.made)
    ways = Ways(index="index.html", training_page="training.html")
    promotion = promotion_report(release, production, comparison, toy_version, record, origin=ORIGIN, ways=ways)
    training = depiction_page(
        release, toy_version, depict_release(release, toy_version), origin=ORIGIN, index="index.html"
    )
    (folder / "promotion.html").write_text(promotion, encoding="utf-8")
    (folder / "training.html").write_text(training, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Browser, address: Path, width: int, scheme: Scheme = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": TALL}, color_scheme=scheme)
    page.goto(address.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1280])
@pytest.mark.parametrize("name", ["promotion", "training"])
def test_a_page_fits_every_screen_and_reader(
    browser: Browser, pages: Path, name: str, width: int, scheme: Scheme
) -> None:
    page = open_page(browser, pages / f"{name}.html", width, scheme)
    verdict = page.locator(".verdict").bounding_box()
    assert verdict is not None
    assert verdict["y"] + verdict["height"] < TALL
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    violations = Axe().run(page).response["violations"]
    page.close()
    assert [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in violations] == []


@pytest.mark.parametrize("name", ["promotion", "training"])
def test_a_finger_meets_what_it_aims_at(browser: Browser, pages: Path, name: str) -> None:
    page = open_page(browser, pages / f"{name}.html", PHONE)
    heights = page.evaluate(
        "[...document.querySelectorAll('nav a, summary, label')].map(one => one.getBoundingClientRect().height)"
    )
    page.close()
    assert len(heights) > 3
    assert min(heights) >= 24


def test_the_met_gates_open_by_the_keyboard(browser: Browser, pages: Path) -> None:
    page = open_page(browser, pages / "promotion.html", PHONE)
    summary = page.locator("summary", has_text="met")
    row = page.locator("td", has_text="budget").first
    expect(row).to_be_hidden()
    summary.focus()
    page.keyboard.press("Enter")
    expect(row).to_be_visible()
    page.close()


def test_the_map_opens_large_within_its_frame(browser: Browser, pages: Path) -> None:
    page = open_page(browser, pages / "training.html", PHONE)
    picture = page.locator(".frame img")
    assert picture.evaluate("image => image.getBoundingClientRect().width") < PHONE
    page.get_by_label("Full size").check()
    assert picture.evaluate("image => image.getBoundingClientRect().width") == 1000
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    page.close()
