from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from discern.datasets.diff import diff_versions
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.quality.checks import CheckConfig, Checked, check_version
from discern.quality.review import LIBRARY, Review, report_html, write_report
from discern.quality.review.photo_book import PhotoBook
from discern.sources.base import Photo, Provenance
from edge_runtime.core.images import decode
from tests.browser import CHROMIUM, FLAGS
from tests.discern.pictures import jpeg, photos

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
    page = write_report(tmp_path / "report", Review(version, checked, REJECTED))
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "photos", LIBRARY]
    assert page.stat().st_size < 1_000_000
    script = (page.parent / LIBRARY).stat()
    write_report(tmp_path / "report", Review(version, checked))
    assert (page.parent / LIBRARY).stat().st_mtime_ns == script.st_mtime_ns


def test_one_file_stays_below_5_mb(version: DatasetVersion, checked: Checked) -> None:
    html = report_html(Review(version, checked))
    assert len(html.encode()) < 5_000_000
    assert html == report_html(Review(version, checked))


def test_names_cannot_break_the_page(version: DatasetVersion, checked: Checked) -> None:
    assert "<b>" not in report_html(Review(version, checked, REJECTED))


def test_many_rejects_are_cut(version: DatasetVersion, checked: Checked) -> None:
    html = report_html(Review(version, checked, REJECTED * 500))
    assert "Left out (1,000)" in html
    assert "800 more are not shown" in html


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, version: DatasetVersion, checked: Checked
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"the report cannot be written to .*/file"):
        write_report(tmp_path / "file", Review(version, checked))


def test_images_without_an_instance_are_counted_and_shown_as_what_they_are(
    tmp_path: Path, version: DatasetVersion, checked: Checked
) -> None:
    by_ann = Provenance(labelled_by="<ann>", label_method="correction")
    given = list(photos(12, 9))
    given[0] = Photo(given[0].name, "c01", given[0].data, provenance=by_ann)
    more = [Photo("belt/1.jpg", None, jpeg(70), split="train", empty=True), Photo("new.jpg", None, jpeg(71))]
    keep = CleaningConfig(unlabelled="keep")
    grown, _ = write_version([*given, *more], version.shards, cleaning=keep, before=version)
    html = report_html(Review(grown, checked, before=version.id, changes=diff_versions(version, grown)))
    assert "108 photos of 12 classes, 1 empty image, 1 unlabelled image" in html
    assert "belt/1.jpg (empty image)" in html
    assert '<figcaption title="new.jpg">unlabelled image<br>' in html
    assert "c00 \u2192 c01 (correction by &lt;ann&gt;)" in html
    counts = html[html.index("Empty images") :]
    assert counts.index('<td class="number">1</td></tr>') < counts.index("<td>validation</td>")
    assert "Empty images" not in report_html(Review(version, checked))
    assert '<h2 id="changes">Changes</h2>' in html


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
    write_report(tmp_path, Review(version, checked, REJECTED))
    (tmp_path / "single.html").write_text(report_html(Review(version, checked, REJECTED)), encoding="utf-8")
    for address in (f"{site}/index.html", f"file://{tmp_path}/index.html", f"file://{tmp_path}/single.html"):
        page.goto(address)
        expect(page.locator(".verdict")).to_have_text("Fit to train on: 23 of 23 conditions met.")
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
    write_report(tmp_path, Review(version, check_version(version, config)))
    page.goto(f"file://{tmp_path}/index.html")
    expect(page.locator(".verdict")).to_have_text("Not fit to train on: 21 of 23 conditions met, 1 failed, 1 waived.")
    results = page.locator("#conditions + div .result").all_text_contents()
    assert results[:3] == ["failed", "waived", "met"]
    expect(page.get_by_text("Waived: the sensor has <24> pixels")).to_be_visible()


def test_the_worst_photos_are_linked_to_the_pictures(
    tmp_path: Path, version: DatasetVersion, page: Page, site: str
) -> None:
    """Every photo of the version is small here, so that there is something to show."""
    write_report(tmp_path, Review(version, check_version(version)))
    page.goto(f"{site}/index.html")
    links = page.locator("#figures ~ details .pictures a")
    assert links.count() >= 12
    addresses = {str(links.nth(i).get_attribute("href")) for i in range(links.count())}
    assert addresses == {f"photos/{path.name}" for path in (tmp_path / "photos").iterdir()}
    links.first.click()
    assert page.evaluate("document.images[0].naturalWidth") == 24
    assert "<a href" not in report_html(Review(version, check_version(version))).split("</nav>")[1]


def test_a_photo_in_a_box_is_shown_cut_out_and_linked_whole(tmp_path: Path) -> None:
    whole = jpeg(5, 200)
    given = [*photos(12, 9), Photo("scene.jpg", "c03", whole, box=(10.0, 20.0, 60.0, 70.0), split="test", role="query")]
    version, _ = write_version(given, str(tmp_path / "shards"))
    book = PhotoBook(version)
    html = book.rows([len(version) - 1])
    assert 'title="scene.jpg"' in html
    (large,) = book.files.values()
    shown = decode(large)
    assert shown.shape == (200, 200, 3)
    edge = shown[20, 20:50].mean(axis=0)
    assert edge[0] > edge[1] + 60  # the box is drawn, in red


def test_changes_since_the_version_before_are_shown(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page
) -> None:
    older = version.select(labels=version.labels[2:])
    relabelled = older.table.set_column(
        older.table.schema.get_field_index("label"),
        older.table.schema.field("label"),
        pa.array(["c09 <old>", *older.column("label")[1:]]),
    )
    older = dataclasses.replace(older, table=relabelled)
    write_report(tmp_path, Review(version, checked, before=older.id, changes=diff_versions(older, version)))
    page.goto(f"file://{tmp_path}/index.html")
    table = page.locator("#changes ~ .scroll").first
    expect(table).to_contain_text("Classes added")
    expect(table).to_contain_text("c00 (9), c01 (9)")
    expect(table).to_contain_text("Photos added")
    expect(table).to_contain_text("c09 <old> \u2192 c02")
    expect(page.get_by_role("link", name=older.id)).to_have_attribute("href", f"../{older.id}/index.html")


def test_what_was_left_out_is_counted_by_kind_and_pictured(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page
) -> None:
    shard, row = version.column("shard")[0], version.column("row")[0]
    conflict = Rejected("c00/x.jpg", "c00/x.jpg and c01/x.jpg are one picture.", "conflict", "c00", shard, row)
    write_report(tmp_path, Review(version, checked, [*REJECTED, conflict]))
    page.goto(f"file://{tmp_path}/index.html")
    rows = page.locator("table.rejected tr")
    expect(rows.nth(1)).to_contain_text("c00/x.jpg and c01/x.jpg are one picture")  # what somebody has to decide
    assert rows.nth(1).locator("img").count() == 1
    expect(page.get_by_text("conflict (one picture under two labels: somebody has to decide): 1")).to_be_visible()


def test_augmented_photos_stand_below_each_class(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page
) -> None:
    write_report(tmp_path, Review(version, checked, augment=lambda shown: [np.invert(one) for one in shown]))
    page.goto(f"file://{tmp_path}/index.html")
    assert page.locator("table.sheet img").count() == 2 * len(version.labels)
    expect(page.get_by_text("below each, as training changes it")).to_be_visible()
