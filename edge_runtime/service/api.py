"""The service on the device: one photo in, one answer out, over HTTP.

Rules kept:
- it starts and answers with no network and without the repository;
- it answers from a checked release only, and says 503 until there is one;
- a request's bytes and a photo's pixels are bounded, and photos are decoded in a bounded number of threads;
- where a token is set, a caller without it learns nothing about the release or a photo;
- every error is JSON with one sentence; no GET changes anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_runtime.core.decision import Outcome
from edge_runtime.core.identify import Answer, Identifier, split_candidates
from edge_runtime.core.release import Release
from edge_runtime.device.active_release import ActiveRelease
from edge_runtime.device.home import Home
from edge_runtime.errors import EdgeError, ImageError, SettingsError
from edge_runtime.service.request_body import read_upload
from edge_runtime.service.settings import ServiceSettings

UI = Path(__file__).parent / "ui"
UI_FILES = {"/": "index.html", "/ui/app.js": "app.js", "/ui/style.css": "style.css"}
MEDIA_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
PHOTO_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "properties": {
                        "photo": {"type": "string", "format": "binary"},
                        "candidates": {"type": "array", "items": {"type": "string"}},
                    },
                }
            },
            "image/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class MatchOut(BaseModel):
    """A class, its score, and where its reference picture is."""

    label: str
    score: float
    thumbnail: str


class AnswerOut(BaseModel):
    """The answer to a photo."""

    outcome: Outcome
    known: bool
    label: str | None
    score: float
    margin: float
    reason: str
    explanation: str
    matches: list[MatchOut]
    release: str
    probability: float | None


class ServiceMetrics:
    """The figures of /metrics, in a registry of their own so that several services fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.identifications = Counter(
            "discern_identifications", "Photos by outcome", ["outcome"], registry=self.registry
        )
        self.seconds = Histogram("discern_identify_seconds", "Time of one identification", registry=self.registry)
        self.release = Gauge("discern_release", "The release that answers", ["release"], registry=self.registry)

    def answering(self, release: str) -> None:
        """Note the release that answers."""
        self.release.clear()
        self.release.labels(release).set(1)


class Service:
    """The active release, the settings, the metrics and the bounded threads, which all routes share."""

    def __init__(self, source: Home | Release, settings: ServiceSettings) -> None:
        self.settings = settings
        self.metrics = ServiceMetrics()
        self.active = ActiveRelease(source, settings.limits)
        self._limiter = CapacityLimiter(settings.workers)
        self.follow()

    def follow(self) -> None:
        """Load a newly pulled release."""
        if self.active.follow() and self.active.identifier is not None:
            self.metrics.answering(self.active.identifier.release.id)

    async def follow_for_ever(self) -> None:
        """Look for a newly pulled release again and again."""
        while True:
            await asyncio.sleep(self.settings.poll_seconds)
            await to_thread.run_sync(self.follow)

    def identifier(self) -> Identifier:
        """Return the identifier that answers.

        Raises:
            HTTPException: 503 where nothing does.
        """
        if self.active.identifier is None:
            raise HTTPException(503, self.active.problem)
        return self.active.identifier

    async def identify(self, request: Request) -> AnswerOut:
        """Answer one request."""
        outcome: str = "refused"
        try:
            identifier = self.identifier()
            upload = await read_upload(request, self.settings.max_request_bytes)
            candidates = split_candidates(upload.candidates, identifier.class_ids)
            start = time.perf_counter()
            answer = await to_thread.run_sync(
                lambda: identifier.identify(upload.photo, candidates), limiter=self._limiter
            )
            self.metrics.seconds.observe(time.perf_counter() - start)
            outcome = answer.outcome
            return _answer_out(answer, identifier)
        finally:
            self.metrics.identifications.labels(outcome).inc()

    def authorise(self, request: Request) -> None:
        """Compare the caller's token.

        Raises:
            HTTPException: 401 where it is wrong or missing.
        """
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        token = self.settings.token
        if token is not None and (scheme.lower() != "bearer" or not token.matches(credentials.strip())):
            raise HTTPException(
                401, "the token is missing or wrong: send Authorization: Bearer TOKEN.", {"WWW-Authenticate": "Bearer"}
            )


class HeadAsGet:
    """Answers HEAD wherever there is GET, without the body (RFC 9110, 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def send_without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, send_without_body)
        else:
            await self._app(scope, receive, send)


def create_app(source: Home | Release | Path, settings: ServiceSettings | None = None) -> FastAPI:
    """Make the service.

    Args:
        source: a device's own folder, whose `current` is followed, or one release.
        settings: limits and token; the defaults if None.
    """
    service = Service(Home(source) if isinstance(source, Path) else source, settings or ServiceSettings())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        follower = asyncio.create_task(service.follow_for_ever())
        yield
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower

    # FastAPI's own pages load their scripts from the network.
    app = FastAPI(title="Discern on the device", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    app.add_middleware(HeadAsGet)
    _add_errors(app)
    _add_headers(app)
    _add_pages(app)
    _add_health(app, service)
    _add_api(app, service)
    return app


def _add_api(app: FastAPI, service: Service) -> None:
    allowed = [Depends(service.authorise)]

    @app.post("/v1/identify", dependencies=allowed, openapi_extra=PHOTO_BODY)
    async def identify(request: Request) -> AnswerOut:
        """Say which enrolled class is on the photo, which two to look at closely, or that it is unknown."""
        return await service.identify(request)

    @app.get("/v1/release", dependencies=allowed)
    def release() -> dict[str, Any]:
        """Tell which release answers, and its classes."""
        loaded = service.identifier().release
        manifest = loaded.manifest.model_dump(mode="json", exclude={"files", "format"})
        return {"id": loaded.id, **manifest, "classes": list(loaded.labels)}

    @app.get("/v1/classes/{number}/thumbnail", dependencies=allowed, response_class=Response)
    def thumbnail(number: int) -> Response:
        """Return the reference picture of a class, JPEG."""
        loaded = service.identifier().release
        if not 0 <= number < len(loaded.labels):
            raise HTTPException(404, f"class {number} is not in release {loaded.id}.")
        return Response(loaded.thumbnail(number), media_type="image/jpeg")

    @app.get("/metrics", dependencies=allowed, response_class=Response)
    def metrics() -> Response:
        """Return counts and times for Prometheus."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Say that the process runs."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> dict[str, str]:
        """Say that a checked release answers; 503 until one does."""
        return {"status": "ready", "release": service.identifier().release.id}


def _add_pages(app: FastAPI) -> None:
    for path, name in UI_FILES.items():
        app.get(path, include_in_schema=False)(_page(UI / name))


def _page(file: Path) -> Callable[[], Response]:
    content, media_type = file.read_bytes(), MEDIA_TYPES[file.suffix]

    def page() -> Response:
        return Response(content, media_type=media_type)

    return page


def _add_headers(app: FastAPI) -> None:
    @app.middleware("http")
    async def headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response


def _add_errors(app: FastAPI) -> None:
    def reply(status: int, sentence: str, headers: Any = None) -> JSONResponse:
        return JSONResponse({"error": sentence}, status, headers)

    @app.exception_handler(StarletteHTTPException)
    def http_error(request: Request, error: StarletteHTTPException) -> JSONResponse:
        sentences = {404: f"there is nothing at {request.url.path}.", 405: f"{request.method} is not allowed here."}
        sentence = sentences.get(error.status_code) if error.detail in {"Not Found", "Method Not Allowed"} else None
        return reply(error.status_code, sentence or str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    def validation_error(_request: Request, error: RequestValidationError) -> JSONResponse:
        problem = error.errors()[0]
        place = " ".join(str(part) for part in problem["loc"][1:])
        return reply(422, f"{place} is {str(problem['input'])[:50]!r}: {_lower(problem['msg'])}.")

    @app.exception_handler(EdgeError)
    def edge_error(_request: Request, error: EdgeError) -> JSONResponse:
        return reply(422 if isinstance(error, (ImageError, SettingsError)) else 503, str(error))

    @app.exception_handler(Exception)
    def other_error(_request: Request, _error: Exception) -> JSONResponse:
        return reply(500, "the service met an error of its own: its log says which.")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _answer_out(answer: Answer, identifier: Identifier) -> AnswerOut:
    matches = [
        MatchOut(
            label=match.label,
            score=match.score,
            thumbnail=f"/v1/classes/{identifier.class_ids[match.label]}/thumbnail",
        )
        for match in answer.matches
    ]
    return AnswerOut(**{**answer.as_dict(), "matches": matches})
