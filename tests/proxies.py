"""A server between a client and its HTTP server that counts, waits and breaks connections: a network, in short.

with Proxy("http://127.0.0.1:9000") as proxy:
    proxy.cut(Direction.DOWN, after=1000, times=2)
    ...  # a client of proxy.url gets 1,000 bytes of its next two answers, and then a reset
    assert proxy.count("GET", "/bucket/key") == 3
"""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

CHUNK = 64 * 1024  # bytes
NOT_FORWARDED = {"connection", "keep-alive", "transfer-encoding", "expect", "date", "server"}


class Direction(Enum):
    """Which way a body goes."""

    UP = "up"  # from the client: an upload
    DOWN = "down"  # to the client: a download


@dataclass
class Request:
    """A request that came, and what became of it."""

    method: str
    path: str  # with its query
    status: int = 0  # 0: broken off before there was one
    received: int = 0  # bytes of its body
    sent: int = 0  # bytes of the answer's body


class Proxy:
    """A counting, breaking HTTP server in front of another; runs in threads of this process.

    Args:
        upstream: URL of the server behind.
        delay: seconds that every request waits, as over a long line.
    """

    def __init__(self, upstream: str, delay: float = 0.0) -> None:
        self.upstream = urlsplit(upstream)
        self.delay = delay
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._cuts: dict[Direction, tuple[int, int, str]] = {}
        self._refusal = (0, "", 0, "")
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def cut(self, direction: Direction, after: int, times: int = 1_000_000, path: str = "") -> None:
        """Reset the connection once `after` bytes of a body went by, as often as told.

        Args:
            direction: of the body.
            after: bytes; bodies that are no longer pass.
            times: how many bodies.
            path: a part of the paths that are meant.
        """
        with self._lock:
            self._cuts[direction] = after, times, path

    def refuse(self, status: int, code: str, times: int = 1_000_000, path: str = "") -> None:
        """Answer requests as an S3 server does that will not.

        Args:
            status: of the answer.
            code: of the error.
            times: how many requests.
            path: a part of the paths that are meant.
        """
        with self._lock:
            self._refusal = status, code, times, path

    def refusal(self, request: Request) -> tuple[int, str] | None:
        """The status and the code to answer a request with, if it is to be refused; uses a refusal up."""
        with self._lock:
            status, code, times, path = self._refusal
            if times == 0 or path not in request.path:
                return None
            self._refusal = status, code, times - 1, path
            return status, code

    def count(self, method: str, part: str = "") -> int:
        """How many requests of a method had a path, apart from its query, with this part."""
        return sum(request.method == method and part in request.path.split("?")[0] for request in self.requests)

    def fetched(self, part: str = "") -> int:
        """How many bytes went to clients as answers to GETs of paths, apart from their query, with this part."""
        gets = (request for request in self.requests if request.method == "GET")
        return sum(request.sent for request in gets if part in request.path.split("?")[0])

    def limit(self, direction: Direction, request: Request, length: int) -> int | None:
        """How many bytes of a body of this length may pass, or None for all; uses a cut up."""
        with self._lock:
            after, times, path = self._cuts.get(direction, (0, 0, ""))
            if times == 0 or length <= after or path not in request.path:
                return None
            self._cuts[direction] = after, times - 1, path
            return after


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away, and connections cut here, are the business of this server."""


class _Cut(Exception):  # noqa: N818
    """A body was long enough."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _forward(self) -> None:
        proxy = self.server.proxy
        request = Request(self.command, self.path)
        with proxy._lock:
            proxy.requests.append(request)
        time.sleep(proxy.delay)
        try:
            body = b"".join(self._upload(request))
            if refusal := proxy.refusal(request):
                self._refuse(request, *refusal)
                return
            connection = http.client.HTTPConnection(str(proxy.upstream.hostname), proxy.upstream.port)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_FORWARDED}
                if body or self.command in {"PUT", "POST"}:
                    headers["Content-Length"] = str(len(body))
                connection.request(self.command, self.path, body or None, headers)
                self._answer(request, connection.getresponse())
            finally:
                connection.close()
        except _Cut:
            # A reset, not an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _forward  # noqa: N815

    def _upload(self, request: Request) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = self._chunks()
        else:
            pieces = self._read(int(self.headers.get("Content-Length", 0)))
        limit = self.server.proxy.limit(Direction.UP, request, int(self.headers.get("Content-Length", 1 << 60)))
        for piece in pieces:
            request.received += len(piece)
            if limit is not None and request.received > limit:
                raise _Cut
            yield piece

    def _read(self, length: int) -> Iterator[bytes]:
        while length > 0 and (piece := self.rfile.read(min(CHUNK, length))):
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _refuse(self, request: Request, status: int, code: str) -> None:
        request.status = status
        body = f"<Error><Code>{code}</Code><Message>for a test</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send(request, body)

    def _answer(self, request: Request, response: http.client.HTTPResponse) -> None:
        request.status = response.status
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in NOT_FORWARDED:
                self.send_header(name, value)
        if self.command == "HEAD" or response.status in {204, 304}:
            self.end_headers()
            return
        if response.length is None:  # it comes in chunks: small answers, all of them
            body = response.read()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self._send(request, body)
            return
        self.end_headers()
        limit = self.server.proxy.limit(Direction.DOWN, request, response.length)
        left = response.length if limit is None else limit
        while left > 0 and (piece := response.read(min(CHUNK, left))):
            left -= len(piece)
            self._send(request, piece)
        if limit is not None:
            self.wfile.flush()
            time.sleep(0.02)  # a reset overtakes what lies in the buffers
            raise _Cut

    def _send(self, request: Request, piece: bytes) -> None:
        request.sent += len(piece)  # first: who has got it may look at once
        self.wfile.write(piece)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the tests look at what was counted."""
