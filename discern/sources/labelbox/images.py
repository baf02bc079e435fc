"""Fetching images from the addresses that Labelbox gives.

Rules kept:
- https alone, also after a redirect; plain http only where the first address is this machine itself;
- the API key goes to no image's address;
- an image is read up to a limit, whatever its header says of its size, and within a time;
- busy servers are asked again, as late as they wish; one that refuses is not;
- what is signed in an address is in no message.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import requests

from discern.errors import DataError
from discern.sources.files.tree import READ_LIMIT
from edge_runtime.service.settings import is_loopback

TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two bytes
DEADLINE = 300.0  # seconds for one image
TRIES = 5
FIRST_WAIT = 1.0  # seconds; doubled with every try, unless the server says how long
LONGEST_WAIT = 60.0  # seconds
REDIRECTS = 5
CHUNK = 64 * 1024  # bytes
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
EXPIRED = ("expiredtoken", "has expired", "url expired", "signature expired")
_LOCAL = threading.local()


class Download:
    """One remote image that several things may show: it is fetched once, and kept until the last of them has it.

    Args:
        url: where it is.
        name: of the picture, for messages.
        uses: how many things will load it.
    """

    def __init__(self, url: str, name: str, uses: int = 1) -> None:
        self._url, self._name, self._uses = url, name, uses
        self._data: bytes | None = None
        self._lock = threading.Lock()

    def load(self) -> bytes:
        """The encoded image.

        Raises:
            DataError: it cannot be fetched.
        """
        with self._lock:
            data = self._data or fetch(self._url, self._name)
            self._uses -= 1
            self._data = data if self._uses > 0 else None
            return data


def check_address(url: str, name: str) -> None:
    """Refuse what is not fetched.

    Raises:
        DataError: it is no https address.
    """
    if not _is_allowed(url, url):
        kind = url.partition(":")[0] if ":" in url[:12] else "none"
        raise DataError(
            f"the image of {name} has no https address ({kind}): put the image beside the export, or let Labelbox "
            "host it."
        )


def fetch(url: str, name: str) -> bytes:
    """Read one image, at most `READ_LIMIT` bytes of it.

    Args:
        url: its address.
        name: of the picture, for messages.

    Raises:
        DataError: the address is not https, has expired, refuses, or cannot be reached.
    """
    check_address(url, name)
    wait, fault = FIRST_WAIT, ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(min(wait, LONGEST_WAIT))
            wait *= 2
        try:
            with _open(url, name) as response:
                if response.status_code not in BUSY:
                    _check(response, name)
                    return _read(response, name)
                fault = f"status {response.status_code}"
                wait = _asked_to_wait(response) or wait
        except requests.RequestException as error:
            fault = type(error).__name__
    raise DataError(f"the image of {name} cannot be fetched from {_host(url)} ({fault}): check the network, run again.")


def _open(url: str, name: str) -> requests.Response:
    """The answer at the end of all redirects."""
    if not hasattr(_LOCAL, "session"):
        _LOCAL.session = requests.Session()  # one a thread: connections are kept, and a session is not for several
    session: requests.Session = _LOCAL.session
    here = url
    for _ in range(REDIRECTS + 1):
        response = session.get(here, stream=True, timeout=TIMEOUT, allow_redirects=False)
        if not response.is_redirect:
            return response
        here = urljoin(here, response.headers["location"])
        response.close()
        if not _is_allowed(here, url):
            raise DataError(f"the address of the image of {name} leads to one that is not https: export again.")
    raise DataError(f"the address of the image of {name} leads from one to the next without end: export again.")


def _check(response: requests.Response, name: str) -> None:
    status = response.status_code
    if status == requests.codes.ok:
        return
    text = next(response.iter_content(4096), b"").decode("utf-8", "replace").lower()
    if status in {400, 401, 403} and any(sign in text for sign in EXPIRED):
        raise DataError(f"the image URL of {name} expired: export again.")
    if status in {404, 410}:
        raise DataError(f"the image of {name} is no longer at {_host(response.url)}: restore it, or remove the row.")
    raise DataError(
        f"{_host(response.url)} refuses the image of {name} (status {status}): export again, or make it readable."
    )


def _read(response: requests.Response, name: str) -> bytes:
    data = bytearray()
    end = time.monotonic() + DEADLINE
    for chunk in response.iter_content(CHUNK):
        data += chunk
        if len(data) >= READ_LIMIT:
            break
        if time.monotonic() > end:
            raise DataError(
                f"the image of {name} took longer than {DEADLINE:.0f} s from {_host(response.url)}: run again."
            )
    return bytes(data[:READ_LIMIT])


def _asked_to_wait(response: requests.Response) -> float | None:
    """Seconds, from a Retry-After header: a number of them, or a date."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _is_allowed(url: str, first: str) -> bool:
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
        if not host:
            return False
        if is_loopback(host):
            return scheme in {"http", "https"} and is_loopback(urlsplit(first).hostname or "")
    except ValueError:
        return False
    return scheme == "https"


def _host(url: str) -> str:
    return urlsplit(url).hostname or "its address"
