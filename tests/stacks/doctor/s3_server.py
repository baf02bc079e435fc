"""A small S3 server that keeps objects in memory and refuses what it is told to refuse, as AWS does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class S3Server:
    """What the server holds and how it answers.

    Args:
        refusals: PUT, GET, LIST or DELETE -> status and error code.
        clock: seconds that its clock is ahead of ours.
        headers: of every refusal.
        page: what it answers to everything, where it is no S3 server at all.
    """

    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    clock: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    page: bytes | None = None
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator[S3Server]:
        """Serve on a free port of loopback."""
        server = _Server(self)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, state: S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + self.server.state.clock, usegmt=True)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._allowed("PUT"):
            self.server.state.objects[self.path] = body
            self._answer(200)

    def do_GET(self) -> None:
        if "list-type" in self.path:
            if self._allowed("LIST"):
                self._answer(200, _listing(self.server.state, self.path))
        elif self._allowed("GET"):
            self._answer(200, self.server.state.objects[self.path])

    def do_DELETE(self) -> None:
        if self._allowed("DELETE"):
            self.server.state.objects.pop(self.path, None)
            self._answer(204)

    def _allowed(self, action: str) -> bool:
        state = self.server.state
        state.asked.append(action)
        if state.page is not None:
            self._answer(400 if action == "PUT" else 200, state.page)
            return False
        if action not in state.refusals:
            return True
        status, code = state.refusals[action]
        self._answer(status, f"<Error><Code>{code}</Code><Message>told to</Message></Error>".encode())
        return False

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in self.server.state.headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _listing(state: S3Server, path: str) -> bytes:
    bucket = urlsplit(path).path.strip("/")
    prefix = parse_qs(urlsplit(path).query)["prefix"][0]
    keys = [key.removeprefix(f"/{bucket}/") for key in state.objects]
    contents = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys if key.startswith(prefix))
    return f"<ListBucketResult>{contents}</ListBucketResult>".encode()
