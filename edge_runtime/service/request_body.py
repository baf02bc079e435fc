"""A request's body: one photo and perhaps candidates, bounded, and never spooled to a disk that may be full."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

FORM = "multipart/form-data"
MAX_FIELDS = 1_000


@dataclass(frozen=True)
class Upload:
    """The content of a request."""

    photo: bytes
    candidates: tuple[str, ...] | None


async def read_upload(request: Request, max_bytes: int) -> Upload:
    """Read a multipart form with a `photo` and perhaps `candidates`, or a raw photo; candidates may be in the query.

    Raises:
        HTTPException: 413 where the body is larger than `max_bytes`, 422 where it holds no photo.
    """
    candidates = request.query_params.getlist("candidates")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        photo = b"".join([chunk async for chunk in _bounded(request, max_bytes)])
    else:
        photo, more = await _read_form(request, max_bytes)
        candidates = [*candidates, *more]
    return Upload(photo, tuple(candidates) or None)


class _InMemory(MultiPartParser):
    """Keeps files in memory: the body is bounded already, and identification must go on when the disk is full."""

    spool_max_size = 1 << 40  # bytes; never reached


async def _read_form(request: Request, max_bytes: int) -> tuple[bytes, list[str]]:
    try:
        parser = _InMemory(request.headers, _bounded(request, max_bytes), max_files=1, max_fields=MAX_FIELDS)
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(
            422, f"the form cannot be read ({error.message}): send one file in the field photo."
        ) from None
    try:
        photo = form.get("photo")
        if not isinstance(photo, UploadFile):
            raise HTTPException(422, "the form has no file in the field photo: send the picture there.")
        return await photo.read(), [str(value) for value in form.getlist("candidates")]
    finally:
        await form.close()


async def _bounded(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    stated = request.headers.get("content-length", "")
    too_large = HTTPException(413, f"the request is larger than the {max_bytes:,} bytes allowed: send a smaller photo.")
    if stated.isdigit() and int(stated) > max_bytes:
        raise too_large
    length = 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > max_bytes:
            raise too_large
        yield chunk
