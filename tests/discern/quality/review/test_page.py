from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from discern.datasets.diff import diff_versions
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.quality.checks import Checked, Condition, Photos, PhotoSets
from discern.quality.review import LIBRARY, build_report, report_html, write_report
from discern.sources.base import Photo, Provenance
from tests.browser import CHROMIUM, FLAGS
from tests.discern.pictures import jpeg, photos
from tests.discern.quality.review.reviews import REJECTED, conflict, review


@pytest.fixture(scope="module")
def unfit(version: DatasetVersion, checked: Checked) -> Checked:
    """The checks with one failure, one waiver, one answer for which there are too few photos, and sets to look at."""

    def condition(**found: object) -> Condition:
        return Condition.model_validate({"condition": "no photo has a side below 32 px", "passed": False} | found)

    noted = (
        condition(check="duplicates", detail="waived below", waived="the sensor has <24> pixels"),
        condition(check="property_drift", detail="0.72; too few classes to tell", passed=True, too_few=True),
        condition(check="image_size", detail="108 of 108 photos; the least is 24 px"),
    )
    report = checked.report.model_copy(update={"conditions": (*checked.report.conditions[3:], *noted), "passed": False})
    found = (
        Photos("image_size", "The worst 12 of 108 photos with a side below 32 px", tuple(range(12))),
        PhotoSets("duplicates", "9 sets of pictures", ((0, 1), (20, 21, 22)), hidden=7),
    )
    return Checked(report, (*found, *checked.figures))


def test_the_page_is_small_and_shares_one_script(tmp_path: Path, version: DatasetVersion, checked: Checked) -> None:
    page = write_report(tmp_path / "report", review(version, checked, REJECTED))
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "photos", LIBRARY]
    assert page.stat().st_size < 200_000
    script = (page.parent / LIBRARY).stat()
    write_report(tmp_path / "report", review(version, checked))
    assert (page.parent / LIBRARY).stat().st_mtime_ns == script.st_mtime_ns


def test_one_file_stays_below_5_mb_and_names_nothing_beside_it(version: DatasetVersion, unfit: Checked) -> None:
    given = review(version, unfit, [*REJECTED, *conflict(version)], before="older")
    html = report_html(given)
    assert len(html.encode()) < 5_000_000
    assert html == report_html(given)
    assert set(re.findall(r' (?:src|href)="([^#"]{1,6})', html)) == {"data:i", "data:,"}


def test_every_address_of_the_page_lies_beside_it(version: DatasetVersion, unfit: Checked) -> None:
    report = build_report(review(version, unfit, conflict(version), before="older"))
    addresses = re.findall(r' (?:src|href)="([^#"]+)"', report.files["index.html"].decode())
    other_pages = {"../../../index.html", "../older/index.html", "data:,"}
    assert set(addresses) == other_pages | report.files.keys() - {"index.html"}


def test_names_cannot_break_the_page(version: DatasetVersion, checked: Checked) -> None:
    html = report_html(review(version, checked, REJECTED))
    assert "<b>.jpg" not in html
    assert "c01/&lt;b&gt;.jpg" in html


def test_many_rejects_are_cut(version: DatasetVersion, checked: Checked) -> None:
    html = report_html(review(version, checked, [*REJECTED * 201, *conflict(version)]))
    assert "Left out (404)" in html
    assert html.count("1 more photo is not shown") == 2


def test_a_folder_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, version: DatasetVersion, checked: Checked
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"the report cannot be written to .*/file"):
        write_report(tmp_path / "file", review(version, checked))


def test_images_without_an_instance_are_counted_and_shown_as_what_they_are(
    version: DatasetVersion, checked: Checked
) -> None:
    by_ann = Provenance(labelled_by="<ann>", label_method="correction")
    given = list(photos(12, 9))
    given[0] = Photo(given[0].name, "c01", given[0].data, provenance=by_ann)
    more = [Photo("belt/1.jpg", None, jpeg(70), split="train", empty=True), Photo("new.jpg", None, jpeg(71))]
    keep = CleaningConfig(unlabelled="keep")
    grown, _ = write_version([*given, *more], version.shards, cleaning=keep, before=version)
    html = report_html(review(grown, checked, before=version.id, changes=diff_versions(version, grown)))
    assert "108 photos of 12 classes, 1 empty image, 1 unlabelled image" in html
    assert "belt/1.jpg (empty image)" in html
    assert 'alt="unlabelled image: new.jpg"' in html
    assert "c00 \u2192 c01 (correction by &lt;ann&gt;)" in html
    assert 'data-title="Empty images" class="number">1<' in html
    assert "Empty images" not in report_html(review(version, checked))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("needs /usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that reports script errors and requests that leave this machine."""
    problems: list[str] = []
    page = browser.new_page(viewport={"width": 1000, "height": 800}, reduced_motion="reduce")
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: None if _is_near(request.url) else problems.append(request.url))
    yield page
    page.context.close()
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
    report = build_report(review(version, checked, REJECTED))
    write_report(tmp_path, review(version, checked, REJECTED))
    (tmp_path / "single.html").write_text(report.html, encoding="utf-8")
    for address in (f"{site}/index.html", f"file://{tmp_path}/index.html", f"file://{tmp_path}/single.html"):
        page.goto(address)
        expect(page.locator(".verdict")).to_have_text("Fit to train on: 26 conditions met")
        expect(page.get_by_text("c01/<b>.jpg is empty (0 bytes)")).to_be_visible()
        page.wait_for_function("window.Plotly !== undefined")
        page.get_by_text("14 plots").click()
        page.get_by_text("train to validation, brightness").click()
        expect(page.locator("details[open] .plot svg.main-svg").first).to_be_visible()
        images = page.evaluate(
            """() => Promise.all([...document.images].map(async image => {
                image.loading = "eager";
                await image.decode();
                return image.naturalWidth;
            }))"""
        )
        assert len(images) >= 12
        assert all(images)


def test_failures_come_first_and_met_conditions_are_one_line(
    tmp_path: Path, version: DatasetVersion, unfit: Checked, page: Page
) -> None:
    write_report(tmp_path, review(version, unfit))
    page.goto(f"file://{tmp_path}/index.html")
    expect(page.locator(".verdict")).to_have_text(
        "Not fit to train on: 1 condition failed, 1 waived, 1 with too few to tell, 23 met"
    )
    assert page.locator(".findings .mark").all_text_contents() == ["failed", "waived", "too few to tell"]
    expect(page.locator(".findings")).to_contain_text("Waived: the sensor has <24> pixels")
    expect(page.get_by_role("table", name="Conditions that are met")).to_be_hidden()
    page.get_by_text("23 met", exact=True).click()
    expect(page.get_by_role("table", name="Conditions that are met").get_by_role("row")).to_have_count(24)
    page.get_by_role("link", name="show near-duplicates").click()
    expect(page.locator("#check-duplicates")).to_be_in_viewport()


def test_sets_are_folded_and_all_are_there(tmp_path: Path, version: DatasetVersion, unfit: Checked, page: Page) -> None:
    write_report(tmp_path, review(version, unfit))
    page.goto(f"file://{tmp_path}/index.html")
    sets = page.locator("#check-duplicates + details .set")
    expect(sets.first).to_be_hidden()
    page.get_by_text("9 sets of pictures").click()
    assert [one.locator("img").count() for one in sets.all()] == [2, 3]
    expect(page.get_by_text("7 more sets are not shown.")).to_be_visible()


def test_the_worst_photos_are_linked_to_the_pictures(
    tmp_path: Path, version: DatasetVersion, unfit: Checked, page: Page, site: str
) -> None:
    write_report(tmp_path, review(version, unfit))
    page.goto(f"{site}/index.html")
    links = page.locator("#check-image_size + details a")
    expect(links).to_have_count(12)
    links.first.click()
    assert page.evaluate("document.images[0].naturalWidth") == 24


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
    write_report(tmp_path, review(version, checked, before=older.id, changes=diff_versions(older, version)))
    page.goto(f"file://{tmp_path}/index.html")
    section = page.get_by_role("region", name="Changes")
    expect(section).to_contain_text("c00: 9 photos")
    expect(section).to_contain_text("Photos added: 18")
    expect(section).to_contain_text("and 8 more")
    expect(section).to_contain_text("c09 <old> \u2192 c02")
    expect(section.get_by_role("img", name="c02: 0.jpg")).to_be_visible()
    expect(page.get_by_role("link", name=f"Version before: {older.id}")).to_be_visible()


def test_what_was_left_out_is_told_by_kind_and_pictured(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page
) -> None:
    shard, row = version.column("shard")[0], version.column("row")[0]
    copy = Rejected("c00/copy.jpg", "it is the same picture as c00/0.jpg.", "duplicate", "c00", shard, row)
    write_report(tmp_path, review(version, checked, [REJECTED[0], copy, *conflict(version)]))
    page.goto(f"file://{tmp_path}/index.html")
    section = page.get_by_role("region", name="Left out (4)")
    titles = section.get_by_role("heading", level=3).all_text_contents()
    assert titles == ["Label conflicts (1)", "Not usable (1)", "Copies of photos of this version (1)"]
    expect(section).to_contain_text("c00/copy.jpg")
    expect(section.get_by_role("img", name="left out: c00/copy.jpg")).to_be_visible()


def test_the_command_that_decides_a_conflict_is_copied_by_keyboard(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page, site: str
) -> None:
    write_report(tmp_path, review(version, checked, conflict(version)))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{site}/index.html")
    sides = page.locator(".conflicts figure")
    assert [side.locator("figcaption b").text_content() for side in sides.all()] == ["c00", "c01"]
    assert sides.first.locator("img").evaluate("image => image.getBoundingClientRect().height") <= 200
    button = page.get_by_role("button", name="Copy the command for c00")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copied the command for c00")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == """discern data decide parts 'c00/it'"'"'s.jpg' c00"""


def test_where_there_is_no_clipboard_there_is_no_button(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page
) -> None:
    write_report(tmp_path, review(version, checked, conflict(version)))
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.goto(f"file://{tmp_path}/index.html")
    expect(page.get_by_text("discern data decide parts c01/x.jpg c01")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)


def test_classes_are_found_and_put_in_order_by_keyboard(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page
) -> None:
    fewer = version.take([row for row in range(len(version)) if row not in (0, 1, 9)])
    write_report(tmp_path, review(fewer, dataclasses.replace(checked, figures=())))
    page.goto(f"file://{tmp_path}/index.html")
    shown = page.locator("#all-classes li:visible b")
    assert shown.all_text_contents() == fewer.labels
    page.get_by_label("Find a class").focus()
    page.keyboard.type("C1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("2 of 12 shown")
    assert shown.all_text_contents() == ["c10", "c11"]
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert shown.all_text_contents()[:3] == ["c00", "c01", "c02"]
    page.keyboard.press("ArrowDown")
    assert shown.all_text_contents()[-2:] == ["c01", "c00"]
    page.get_by_label("Show").select_option("unknown")
    unknown = set(fewer.labels) - set(fewer.select(role="gallery").labels)
    assert set(shown.all_text_contents()) == unknown


def test_augmented_photos_stand_below_each_class(
    tmp_path: Path, version: DatasetVersion, checked: Checked, page: Page
) -> None:
    augmented = review(version, checked, augment=lambda shown: [np.invert(one) for one in shown])
    write_report(tmp_path, augmented)
    page.goto(f"file://{tmp_path}/index.html")
    assert page.locator("#all-classes img").count() == 2 * len(version.labels)
    expect(page.get_by_text("the same, as training changes them")).to_be_visible()


def test_everybody_can_use_the_page_on_every_screen(
    tmp_path: Path, version: DatasetVersion, unfit: Checked, page: Page
) -> None:
    """On a phone and on a desk, light and dark, with all parts open: axe finds nothing."""
    given = review(version, unfit, [*REJECTED, *conflict(version, "c00/" + 60 * "long" + ".jpg")], before="older")
    write_report(tmp_path, given)
    page.goto(f"file://{tmp_path}/index.html")
    page.evaluate("document.querySelectorAll('details:not(.inner)').forEach(one => { one.open = true; })")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths[0] <= widths[1]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = [(one["id"], one["nodes"][0]["html"]) for one in Axe().run(page).response["violations"]]
            assert found == [], f"{width} px, {scheme}"


def test_a_phone_shows_the_verdict_at_once_and_photos_soon(
    tmp_path: Path, version: DatasetVersion, unfit: Checked, page: Page
) -> None:
    write_report(tmp_path, review(version, unfit, before="older"))
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"file://{tmp_path}/index.html")
    for part in (".verdict", ".findings li:first-child", ".glance img:last-child"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 844
    sizes = page.evaluate(
        """[...document.querySelectorAll("a, button, input, select, summary")]
            .map(one => one.getBoundingClientRect()).filter(box => box.width > 1).map(box => box.height)"""
    )
    assert min(sizes) >= 24


def test_who_made_it_and_when_is_told(version: DatasetVersion, checked: Checked) -> None:
    html = report_html(review(version, checked))
    for said in ("2026-11-28 14:03 UTC", "data_pipeline-7", "86f29a7", "folder /photos/&lt;parts&gt;"):
        assert said in html


def test_every_link_within_the_page_leads_somewhere(version: DatasetVersion, unfit: Checked) -> None:
    html = report_html(review(version, unfit, conflict(version)))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= set(re.findall(r' id="([^"]+)"', html))
