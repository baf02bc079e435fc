"""The page, in a browser: a photo goes in, the answer can be read."""

from __future__ import annotations

import re
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from edge_runtime.core.release import Release
from edge_runtime.service.api import create_app
from edge_runtime.service.settings import Secret, ServiceSettings
from tests.browser import CHROMIUM, FLAGS
from tests.edge_runtime.toy_release import COLOURS, UNKNOWN, photo

TOKEN = "correct horse battery"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own that reports every script error and every request to elsewhere."""
    context = browser.new_context(viewport={"width": 900, "height": 700})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("http://127.0.0.1", "blob:", "data:")) else problems.append(request.url)
        ),
    )
    yield page
    context.close()
    assert problems == []


@contextmanager
def served(release: Release, token: str | None) -> Iterator[str]:
    """Serve a release in a thread; gives the address."""
    app = create_app(release, ServiceSettings(token=Secret(token) if token else None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(params=[None, TOKEN], ids=["open", "token"])
def address(request: pytest.FixtureRequest, toy_release: Release) -> Iterator[str]:
    with served(toy_release, request.param) as address:
        yield address


def test_a_photo_goes_in_and_the_answer_can_be_read(
    page: Page, address: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for name, colour in {"red": COLOURS["red"], "unknown": UNKNOWN}.items():
        (tmp_path / f"{name}.png").write_bytes(photo(colour, 3))
    (tmp_path / "text.png").write_bytes(b"hello")
    page.goto(address)
    if "token" in request.node.name:
        expect(page.locator("#release")).to_contain_text("the token is missing or wrong")
        page.get_by_label("This device asks for a token").fill(TOKEN)
        page.get_by_role("button", name="Continue").click()
    expect(page.locator("#release")).to_contain_text("squares · 5 classes")

    choose = page.locator("#file")
    choose.set_input_files(tmp_path / "red.png")
    expect(page.locator("#verdict")).to_have_text("red")
    expect(page.locator("#answer")).to_have_class("match")
    expect(page.locator("#sure")).to_have_text(re.compile(r"The best match is right with a probability of 9\d %\."))
    first = page.locator("#matches li").first
    expect(first).to_contain_text("red")
    expect(first.locator("img")).to_have_js_property("naturalWidth", 24)

    choose.set_input_files(tmp_path / "unknown.png")
    expect(page.locator("#verdict")).to_have_text("Unknown")
    expect(page.locator("#answer")).to_have_class("unknown")
    expect(page.locator("#why")).to_contain_text("below the 0.970 needed")

    choose.set_input_files(tmp_path / "text.png")
    expect(page.locator("#verdict")).to_contain_text("is not a picture")
    expect(page.locator("#answer")).to_have_class("wrong")
    expect(page.locator("#sure")).to_be_hidden()

    page.get_by_text("Search some classes only").click()
    page.get_by_label("Labels to search").fill("green, blue")
    choose.set_input_files(tmp_path / "red.png")
    expect(page.locator("#verdict")).to_have_text("Unknown")
    expect(page.locator("#why")).to_contain_text("red, which is not among the candidates")
    expect(page.locator("#sure")).to_be_hidden()


def test_two_to_look_at_are_named(page: Page, strict_release: Release, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(photo(COLOURS["red"], 3))
    with served(strict_release, None) as address:
        page.goto(address)
        page.locator("#file").set_input_files(tmp_path / "red.png")
        expect(page.locator("#verdict")).to_have_text(re.compile(r"^red or \w+\?$"))
        expect(page.locator("#answer")).to_have_class("look_closely")
        expect(page.locator("#why")).to_contain_text("Look closely: red or")


class Below(BaseHTTPRequestHandler):
    """A proxy that serves a program below /tools/discern/ and takes that away before it asks."""

    prefix = "/tools/discern"
    behind = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        if not self.path.startswith(f"{self.prefix}/"):
            self.send_error(404)
            return
        length = int(self.headers.get("content-length", 0))
        request = urllib.request.Request(
            self.behind + self.path.removeprefix(self.prefix),
            self.rfile.read(length) if length else None,
            method=self.command,
        )
        if length:
            request.add_header("content-type", self.headers["content-type"])
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_GET  # noqa: N815


@pytest.mark.parametrize("address", [None], indirect=True)
def test_the_page_works_below_the_path_of_a_proxy(page: Page, address: str, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(photo(COLOURS["red"], 3))
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Proxy", (Below,), {"behind": address})) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        try:
            page.goto(f"http://127.0.0.1:{proxy.server_port}/tools/discern/")
            expect(page.locator("#release")).to_contain_text("squares · 5 classes")
            page.locator("#file").set_input_files(tmp_path / "red.png")
            expect(page.locator("#verdict")).to_have_text("red")
            expect(page.locator("#matches li").first.locator("img")).to_have_js_property("naturalWidth", 24)
            assert page.locator("body").evaluate("body => getComputedStyle(body).maxWidth") == "960px"  # of its style
        finally:
            proxy.shutdown()
