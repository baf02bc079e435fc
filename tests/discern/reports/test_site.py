from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

import boto3
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from discern.reports.site import (
    Entry,
    data_page,
    promotion_page,
    publish_page,
    publish_summary,
    training_page,
    use_cases,
    write_index,
)
from discern.reports.summary import Kind, Origin, PageSummary, Verdict
from tests.browser import CHROMIUM, FLAGS

START = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def summary(kind: Kind, name: str, version: str, hour: int, use_case: str = "parts", **more: object) -> PageSummary:
    verdict: Verdict = "good"
    values = {"verdict": verdict, "word": "Fit", "figures": {"photos": "1,203"}, "pictures": (PICTURE,), **more}
    origin = Origin(made=START + timedelta(hours=hour), pipeline_run=f"run-{hour}")
    return PageSummary(kind=kind, use_case=use_case, id=name, version=version, origin=origin, **values)


def publish_loop(site: str, use_case: str = "parts") -> None:
    """Two versions; the first became a release that was promoted, and judged once more."""
    for hour, version in enumerate(("v1", "v2")):
        publish_page(
            site, data_page(use_case, version), "<p>", summary("data", version, version, hour, use_case=use_case)
        )
    page = training_page(use_case, "r1")
    publish_page(site, page, "<p>", summary("training", "r1", "v1", 2, use_case=use_case))
    for hour, other in ((3, ""), (4, "r0")):
        lost = summary(
            "promotion", "r1", "v1", hour, use_case=use_case, verdict="bad", word="Not promoted", reason="a<b"
        )
        publish_page(site, promotion_page("r1", other, "d1"), "<p>", lost)


def test_pages_are_grouped_by_what_they_rest_on_the_newest_first() -> None:
    pages = [
        Entry("old", summary("data", "v1", "v1", 0)),
        Entry("trained", summary("training", "r1", "v1", 2)),
        Entry("judged", summary("promotion", "r1", "v1", 3)),
        Entry("judged again", summary("promotion", "r1", "v1", 4)),
        Entry("new", summary("data", "v2", "v2", 1)),
        Entry("alone", summary("training", "r9", "v9", 9, use_case="cards")),
    ]
    cards, parts = use_cases(pages)
    assert (cards.name, cards.versions[0].id, cards.versions[0].review) == ("cards", "v9", None)
    assert [version.id for version in parts.versions] == ["v1", "v2"]  # a release of v1 came last
    (release,) = parts.versions[0].releases
    assert release.training == pages[1]
    assert [entry.path for entry in release.decisions] == ["judged again", "judged"]
    assert parts.versions[1].releases == ()


def test_the_index_leads_to_every_page(tmp_path: Path) -> None:
    publish_loop(str(tmp_path))
    html = (tmp_path / "index.html").read_text()
    links = set(re.findall(r'<a href="([^#"]+)"', html))
    assert len(links) == 5
    assert all((tmp_path / link).is_file() for link in links)
    assert "a&lt;b" in html
    assert "2026-01-01 16:00 UTC" in html


def test_pages_of_earlier_code_and_summaries_of_later_code_are_listed_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "promotion").mkdir()
    (tmp_path / "promotion/r1-against-nothing.html").write_text("<p>")
    (tmp_path / "data/parts/v1").mkdir(parents=True)
    (tmp_path / "data/parts/v1/index.html").write_text("<p>")
    (tmp_path / "data/parts/v1/index.json").write_text('{"kind": "dream"}')
    write_index(str(tmp_path))
    html = (tmp_path / "index.html").read_text()
    assert "There is no report yet" in html
    assert 'href="promotion/r1-against-nothing.html"' in html
    assert 'href="data/parts/v1/index.html"' in html


def test_a_summary_enters_a_page_that_is_written_already(tmp_path: Path) -> None:
    (tmp_path / "data/parts/v1").mkdir(parents=True)
    (tmp_path / "data/parts/v1/index.html").write_text("<p>")
    address = publish_summary(str(tmp_path), data_page("parts", "v1"), summary("data", "v1", "v1", 0))
    assert address == f"{tmp_path}/data/parts/v1/index.html"
    assert "Review of the photos" in (tmp_path / "index.html").read_text()


def test_a_site_in_a_bucket_is_shown_by_browsers(s3_environment: str, tmp_path: Path) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket="site-tests")
    publish_loop(f"s3://site-tests/{tmp_path.name}/reports")
    index = client.get_object(Bucket="site-tests", Key=f"{tmp_path.name}/reports/index.html")
    assert index["ContentType"] == "text/html"
    assert index["Body"].read().count(b"<a href") == 5 + 1  # the pages, and the use case


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_index_fits_every_screen_and_reader(
    browser: Browser, tmp_path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    publish_loop(str(tmp_path), "a use case with a name that is long enough for two lines")
    (tmp_path / "promotion/of-earlier-code.html").write_text("<p>")
    write_index(str(tmp_path))
    page = browser.new_page(
        viewport={"width": width, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.goto(f"file://{tmp_path}/index.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(page).response["violations"]
    page.close()
    assert [(one["id"], one["impact"]) for one in violations] == []
