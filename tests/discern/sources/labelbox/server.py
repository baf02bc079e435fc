"""Labelbox in a thread: as much of its API as the SDK uses here, with a state, and with faults on demand.

with FakeLabelbox() as labelbox:
    labelbox.add_project("p1")
    labelbox.add_row("p1", jpeg(1), global_key="one.jpg", labels=[said(question="kind", answer="round")])
    labelbox.rate_limited = 2  # the next two operations
    labelbox.break_at = {"createBatchV2": "after"}  # the connection breaks once, after the operation was done
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.discern.sources.labelbox.operations import Operations
from tests.discern.sources.labelbox.rows import Project, Row, export_row

KEY = "lb-key-that-must-not-be-seen-0123456789"
EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>Request has expired</Message></Error>"


class FakeLabelbox:
    """The server; attributes that are no methods may be set by tests.

    Attributes:
        operations: names of the GraphQL operations that came, in order.
        fetched: paths of images that were asked for, in order.
        leaked: paths of images that were asked for with a key.
        rate_limited: how many of the next operations are refused as too many.
        down: how many of the next operations are answered 502.
        break_at: operation -> whether the connection breaks before or after it is done, or it is done and answered 502;
            each once.
        meanwhile: operation -> what happens before it is done, as if somebody else did it.
        refused_keys: global keys for which no row is made.
        denied_keys: global keys that this key may not see.
        export_status: how export tasks end.
        export_looks: how often an export is looked at before it is done.
        export_errors: how many rows exports say that they lack.
        cut_exports: bytes that exports lack at their end.
        images_expired: images answer as addresses do whose time is over.
        images_busy: how many of the next images are answered 503.
    """

    def __init__(self) -> None:
        self.operations: list[str] = []
        self.fetched: list[str] = []
        self.leaked: list[str] = []
        self.rate_limited = self.down = self.images_busy = self.cut_exports = 0
        self.retry_after = "0"
        self.break_at: dict[str, Literal["before", "after", "502"]] = {}
        self.export_status = "COMPLETE"
        self.export_looks = self.export_errors = 0
        self.images_expired = False
        self.redirects: dict[str, str] = {}
        self.meanwhile: dict[str, Callable[[], None]] = {}
        self.refused_keys: set[str] = set()
        self.denied_keys: set[str] = set()
        self.forget()
        self.lock = threading.RLock()
        self._answers = Operations(self)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def forget(self) -> None:
        """Begin without any state."""
        self.datasets: dict[str, str] = {}  # id -> name
        self.rows: dict[str, Row] = {}
        self.projects: dict[str, Project] = {}
        self.tasks: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.uploads: list[tuple[str, str]] = []  # name and type of each file that was sent

    def __enter__(self) -> FakeLabelbox:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_project(self, project: str) -> Project:
        """A project without rows."""
        self.projects[project] = Project(project)
        return self.projects[project]

    def add_row(self, project: str, image: bytes, **facts: Any) -> Row:
        """A row of a project, with its image on this server."""
        id_ = self.new_id("row")
        row = Row(id_, self.keep(f"/images/{id_}.jpg", image), facts.pop("global_key", None), **facts)
        self.rows[id_] = row
        self.projects[project].rows[id_] = row
        return row

    def export_rows(self, project: str, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows of a project, in the export's format; every export signs the images' addresses anew."""
        wanted = {key for one in filters if one["type"] == "global_key" for key in one["ids"]}
        done = any(one["type"] == "task_queue_status" and one["status"] == "Done" for one in filters)
        signature = self.new_id("signature")
        return [
            export_row(row, project, f"{self.url}{row.image}?X-Signature={signature}")
            for row in self.projects[project].rows.values()
            if (not wanted or row.global_key in wanted) and (not done or row.status == "DONE")
        ]

    def state(self) -> tuple[object, ...]:
        """What there is for good, without ids: to compare two ways of coming to it."""
        pictures = sorted((row.global_key or "", row.external_id or "") for row in self.rows.values())
        batches = {
            (id_, name): sorted(self.rows[row].global_key or "" for row in rows)
            for id_, project in self.projects.items()
            for name, rows in project.batches.items()
        }
        return sorted(self.datasets.values()), pictures, batches

    def new_id(self, kind: str) -> str:
        """An id that nothing else has."""
        with self.lock:
            self._ids = getattr(self, "_ids", 0) + 1
            return f"{kind}{self._ids:06d}"

    def keep(self, path: str, data: bytes) -> str:
        """Serve a file."""
        self.files[path] = data
        return path

    def execute(self, name: str, variables: dict[str, Any], query: str, files: list[bytes]) -> dict[str, Any]:
        """The answer to an operation."""
        self.meanwhile.pop(name, lambda: None)()
        with self.lock:
            return self._answers.run(name, variables, query, files)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fake: FakeLabelbox


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer would wait 40 ms for the client's acknowledgement
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def do_GET(self) -> None:
        fake, path = self.server.fake, urlsplit(self.path).path
        fake.fetched.append(path)
        if "authorization" in self.headers:
            fake.leaked.append(path)
        if path in fake.redirects:
            return self._answer(302, b"", location=fake.redirects[path])
        if fake.images_busy > 0:
            fake.images_busy -= 1
            return self._answer(503, b"busy", **{"retry-after": fake.retry_after})
        if path not in fake.files:
            return self._answer(404, b"no such file")
        if fake.images_expired and path.startswith("/images/"):
            return self._answer(403, EXPIRED)
        return self._answer(200, fake.files[path])

    def do_POST(self) -> None:
        fake = self.server.fake
        query, variables, files = self._parsed(self.rfile.read(int(self.headers["content-length"])))
        name = query.split("PyApi")[0].split()[-1] if "PyApi" in query else query.split("(")[0].split()[-1]
        fake.operations.append(name)
        if not self._is_refused():
            self._execute(name, variables, query, files)

    def _is_refused(self) -> bool:
        fake, given = self.server.fake, self.headers.get("authorization")
        if given != f"Bearer {KEY}":
            self._fault(401, "AUTHENTICATION_ERROR", f"no user has {given}")
        elif fake.rate_limited > 0:
            fake.rate_limited -= 1
            self._json(429, {"message": "You have exceeded your rate limit of 1500 requests per minute."})
        elif fake.down > 0:
            fake.down -= 1
            self._answer(502, b"bad gateway")
        else:
            return False
        return True

    def _execute(self, name: str, variables: dict[str, Any], query: str, files: list[bytes]) -> None:
        breaks = self.server.fake.break_at.pop(name, None)
        try:
            answer = {} if breaks == "before" else self.server.fake.execute(name, variables, query, files)
        except LookupError as error:
            self._fault(200, "RESOURCE_NOT_FOUND", f"there is no {error}")
        except PermissionError as error:
            self._fault(200, "AUTHORIZATION_ERROR", f"{error} ({self.headers['authorization']})")
        except ValueError as error:
            self._fault(200, "RESOURCE_CONFLICT", str(error))
        else:
            if breaks == "502":
                self._answer(502, b"bad gateway")
            else:
                self._break() if breaks else self._json(200, {"data": answer})

    def _parsed(self, body: bytes) -> tuple[str, dict[str, Any], list[bytes]]:
        kind = self.headers.get("content-type", "")
        if not kind.startswith("multipart/"):
            request = json.loads(body)
            return request["query"], request["variables"] or {}, []
        message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        parts: dict[str, Any] = {}
        for part in message.iter_parts():
            parts[str(part.get_param("name", header="content-disposition"))] = part.get_payload(decode=True)
            if part.get_filename():
                self.server.fake.uploads.append((str(part.get_filename()), part.get_content_type()))
        request = json.loads(parts["operations"])
        return request["query"], request["variables"], [parts["1"]]

    def _break(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _fault(self, status: int, code: str, message: str) -> None:
        self._json(status, {"errors": [{"message": message, "extensions": {"code": code}}]})

    def _json(self, status: int, answer: object) -> None:
        self._answer(status, json.dumps(answer).encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
