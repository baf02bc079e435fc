"""Labelbox's own SDK, made patient, and its errors in one sentence each.

It takes half a second to import: import this module where it is used, not before.

The SDK asks again by itself when Labelbox is down or slow, for two minutes; so what changes something may be done
twice, and whoever asks for that must not mind. What is added here: waiting when a rate limit is reached, and asking
again what only reads when a connection breaks.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import requests.adapters

from discern.errors import ConfigError, DataError, DiscernError
from discern.map_ahead import WORKERS
from discern.sources.labelbox.key import address, api_key, without_key

with warnings.catch_warnings():
    # google.api_core, which the SDK imports, warns of the age of Python 3.11.
    warnings.simplefilter("ignore", FutureWarning)
    import google.api_core.exceptions as google_errors
    import labelbox
    from lbox import exceptions as errors

LIMIT_WAITS = (2.0, 4.0, 8.0, 16.0, 32.0)  # seconds: together more than the minute that Labelbox's limits are for
BREAK_WAITS = (1.0, 2.0)  # seconds
TOO_MANY = str(requests.codes.too_many_requests)
UNAUTHORIZED = str(requests.codes.unauthorized)


def _quiet(record: logging.LogRecord) -> bool:
    """Drop the SDK's warnings, which it also raises or returns, and hide the key, which it logs at the level DEBUG."""
    record.msg, record.args = without_key(record.getMessage()), ()
    return record.levelno < logging.WARNING


for _name in ("labelbox.client", "labelbox.schema.task", "lbox.request_client"):
    logging.getLogger(_name).addFilter(_quiet)


class Client(labelbox.Client):
    """Labelbox's client, which waits where it is asked to."""

    def __repr__(self) -> str:
        return f"Client({self.endpoint!r})"

    def execute(self, query: str | None = None, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run one GraphQL operation; arguments as Labelbox's own."""
        # Without it the SDK gives None for what is not there, and stumbles over that.
        kwargs["raise_return_resource_not_found"] = True
        limits, breaks = iter(LIMIT_WAITS), iter(BREAK_WAITS if _only_reads(query) else ())
        while True:
            try:
                return super().execute(query, *args, **kwargs)
            except errors.LabelboxError as error:
                wait = next(_waits(error, limits, breaks), None)
                if wait is None:
                    raise
            time.sleep(wait)


def _waits(error: errors.LabelboxError, limits: Iterator[float], breaks: Iterator[float]) -> Iterator[float]:
    """Return the waits that are left after an error of this kind, seconds; none where asking again is no use."""
    if isinstance(error, errors.NetworkError):
        return breaks
    return limits if _is_rate_limit(error) else iter(())


def connect() -> Client:
    """Return a client for the key and the address in the environment. Nothing is asked yet.

    Raises:
        ConfigError: there is no key, or the address is unsafe.
    """
    url = address()
    client = Client(api_key=api_key(), endpoint=f"{url}/graphql", rest_endpoint=f"{url}/api/v1")
    client.connection.mount(url, requests.adapters.HTTPAdapter(pool_maxsize=WORKERS))  # one a thread that sends photos
    return client


@contextmanager
def sentences(doing: str) -> Iterator[None]:
    """Turn whatever the SDK raises into one sentence without the key.

    Args:
        doing: what is being done, for the message: "exporting project X".

    Raises:
        ConfigError: the key or a name is wrong.
        DataError: anything else went wrong on the way.
    """
    try:
        yield
    except (*_FAULTS, errors.LabelboxError) as error:
        raise _sentence(error, doing) from None


# What the SDK raises besides errors of its own: of its retries, of its downloads (whose length it asserts), and of what
# it was asked to do and cannot.
_FAULTS = (
    google_errors.GoogleAPIError,
    requests.RequestException,
    AssertionError,
    TimeoutError,
    ValueError,
    errors.MalformedQueryException,
    errors.OperationNotAllowedException,
    errors.OperationNotSupportedException,
    errors.ProcessingWaitTimeout,
    labelbox.ExportTask.ExportTaskException,
)
_UNREACHED = (
    errors.NetworkError,
    errors.TimeoutError,
    errors.InternalServerError,
    google_errors.GoogleAPIError,
    requests.RequestException,
    TimeoutError,
)


def _sentence(error: Exception, doing: str) -> DiscernError:
    return _about_access(error, doing) or _about_the_way(error, doing)


def _about_access(error: Exception, doing: str) -> ConfigError | None:
    reason = _reason(error)
    if isinstance(error, errors.AuthenticationError) or reason.startswith(UNAUTHORIZED):
        return ConfigError(
            f"Labelbox refused the API key when {doing}: make a new one in its workspace settings, and put it into the "
            "ZenML secret labelbox or into LABELBOX_API_KEY."
        )
    if isinstance(error, errors.AuthorizationError | errors.OperationNotAllowedException):
        return ConfigError(f"the API key's role at Labelbox is too low for {doing} ({reason}): ask for a higher one.")
    if isinstance(error, errors.ResourceNotFoundError):
        return ConfigError(f"Labelbox did not find what it takes for {doing}: check the id, and what the key may see.")
    return None


def _about_the_way(error: Exception, doing: str) -> DataError:
    if _is_rate_limit(error):
        return DataError(
            f"Labelbox's rate limit stopped {doing}, for {sum(LIMIT_WAITS):.0f} s on end: run again in a few minutes."
        )
    if isinstance(error, AssertionError):
        return DataError(f"Labelbox's answer was cut off when {doing}: run again.")
    if isinstance(error, _UNREACHED):
        return DataError(
            f"Labelbox cannot be reached when {doing} ({type(error).__name__}): check the network, and run again."
        )
    return DataError(f"Labelbox refused {doing} ({_reason(error)}): mend what it names, and run again.")


def _reason(error: Exception) -> str:
    """Return the first line of an error's message, without the key and not too long."""
    text = str(getattr(error, "message", None) or error or type(error).__name__)
    return without_key((text.strip().splitlines() or [type(error).__name__])[0])[:200].rstrip(".")


def _is_rate_limit(error: Exception) -> bool:
    return isinstance(error, errors.ApiLimitError) or (
        isinstance(error, errors.LabelboxError) and str(error.message).startswith(TOO_MANY)
    )


def _only_reads(query: str | None) -> bool:
    return query is not None and query.lstrip().startswith("query")
