from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from discern.data.checks import CheckConfig, Checked, check_version
from discern.data.report import LIBRARY, report_html, write_report
from discern.data.versions import DatasetVersion, Rejected, write_version
from discern.errors import DataError
from tests.discern.data.pictures import photos

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REJECTED = [
    Rejected("c01/<b>.jpg", "c01/<b>.jpg is empty (0 bytes): take or copy the photo again."),
    Rejected("c00/copy.jpg", "c00/copy.jpg is the same picture as c00/0.jpg.", "duplicate"),
]


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    return write_version(photos(12, 9), str(tmp_path_factory.mktemp("shards")))[0]


@pytest.fixture(scope="module")
def checked(version: DatasetVersion) -> Checked:
    return check_version(version, CheckConfig(min_side=24))


def test_the_page_is_small_and_shares_one_script(tmp_path: Path, version: DatasetVersion, checked: Checked) -> None:
    page = write_report(tmp_path / "report", version, checked, REJECTED)
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", LIBRARY]
    assert page.stat().st_size < 1_000_000
    script = (page.parent / LIBRARY).stat()
    write_report(tmp_path / "report", version, checked)
    assert (page.parent / LIBRARY).stat().st_mtime_ns == script.st_mtime_ns


def test_one_file_stays_below_5_mb(version: DatasetVersion, checked: Checked) -> None:
    html = report_html(version, checked)
    assert len(html.encode()) < 5_000_000
    assert html == report_html(version, checked)


def test_names_cannot_break_the_page(version: DatasetVersion, checked: Checked) -> None:
    assert "<b>" not in report_html(version, checked, REJECTED)


def test_many_rejects_are_cut(version: DatasetVersion, checked: Checked) -> None:
    html = report_html(version, checked, REJECTED * 500)
    assert "Left out (1,000)" in html
    assert "800 more are not shown" in html


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, version: DatasetVersion, checked: Checked
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"the report cannot be written to .*/file"):
        write_report(tmp_path / "file", version, checked)


@pytest.fixture
def page() -> Iterator[Page]:
    """A page that reports script errors and requests that leave this machine."""
    if not CHROMIUM.exists():
        pytest.skip("needs /usr/bin/chromium")
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: None if _is_near(request.url) else problems.append(request.url))
        yield page
        browser.close()
    assert problems == []


def _is_near(url: str) -> bool:
    return url.startswith(("http://127.0.0.1", "file:", "data:"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a server of `tmp_path`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_a_person_reads_the_verdict_and_opens_a_plot(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page, site: str
) -> None:
    write_report(tmp_path, version, checked, REJECTED)
    (tmp_path / "single.html").write_text(report_html(version, checked, REJECTED), encoding="utf-8")
    for address in (f"{site}/index.html", f"file://{tmp_path}/index.html", f"file://{tmp_path}/single.html"):
        page.goto(address)
        expect(page.locator(".verdict")).to_have_text("Fit to train on: 12 of 12 conditions met.")
        expect(page.get_by_text("c01/<b>.jpg is empty (0 bytes)")).to_be_visible()
        page.wait_for_function("window.Plotly !== undefined")
        page.get_by_text("train to validation, brightness").click()
        expect(page.locator("details[open] .plot svg.main-svg").first).to_be_visible()
        widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths[0] <= widths[1]
        images = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        assert len(images) >= 12
        assert all(images)


def test_a_failure_comes_first(tmp_path: Path, version: DatasetVersion, page: Page) -> None:
    config = CheckConfig(max_outlier_share=0, waive={"image_size": "the sensor has <24> pixels"})
    write_report(tmp_path, version, check_version(version, config))
    page.goto(f"file://{tmp_path}/index.html")
    expect(page.locator(".verdict")).to_have_text("Not fit to train on: 10 of 12 conditions met, 1 failed, 1 waived.")
    results = page.locator("#conditions + div .result").all_text_contents()
    assert results[:3] == ["failed", "waived", "met"]
    expect(page.get_by_text("Waived: the sensor has <24> pixels")).to_be_visible()
