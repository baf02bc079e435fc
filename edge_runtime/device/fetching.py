"""Bytes of a repository in a folder, on a web server or in an S3 bucket, for The Update Framework's client.

Nothing here is trusted or checked; `repository_client` does that. A file that is not there is a 404 wherever the
repository lies, as the client asks for the next root until it hears one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

from edge_runtime.device.repository_address import RepositoryAddress

CHUNK = 256 * 1024  # bytes
TIMEOUT = 30  # seconds without a byte
MISSING = 404
MISSING_IN_S3 = frozenset({"NoSuchKey", "404", "NotFound"})

Received = Callable[[int], None]


class WebPageError(DownloadHTTPError):
    """A web page came in place of a file: a network that wants a log-in, or a server that has a page for all."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url} is a web page", MISSING)


class RepositoryFetcher(FetcherInterface):
    """Fetches from folders, web servers and buckets.

    Args:
        temporary: folder for files that are still arriving; the system's own may be a small RAM disk.
        received: called with the length of each piece that arrives.
        address: of the repository; its query goes with every file.
    """

    def __init__(
        self, temporary: Path, received: Received | None = None, address: RepositoryAddress | None = None
    ) -> None:
        self._temporary = temporary
        self._address = address or RepositoryAddress("")
        self._received = received or (lambda _length: None)
        self.last_url = ""  # fetched last; the message names it where it is refused
        self._web = Urllib3Fetcher(socket_timeout=TIMEOUT, chunk_size=CHUNK, app_user_agent="discern-edge")
        self._s3: Any = None

    def _fetch(self, url: str) -> Iterator[bytes]:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return _read_file(Path(unquote(parts.path)))
        if parts.scheme == "s3":
            return self._read_object(parts.netloc, unquote(parts.path).lstrip("/"))
        return _no_page(self._web.fetch(self._address.of_file(url)), url)

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Yield an open file with the content of `url`, on the disk that it is meant for.

        Raises:
            DownloadError: it cannot be fetched, or is longer than `max_length` bytes.
        """
        length = 0
        self.last_url = url
        with tempfile.TemporaryFile(dir=self._temporary) as file:
            for chunk in _only_download_errors(self.fetch(url), url):
                length += len(chunk)
                if length > max_length:
                    raise DownloadLengthMismatchError(f"{url} is longer than {max_length} bytes")
                file.write(chunk)
                self._received(len(chunk))
            file.seek(0)
            yield file

    def _read_object(self, bucket: str, key: str) -> Iterator[bytes]:
        client = self._s3_client()
        from botocore.exceptions import ClientError

        try:
            body = client.get_object(Bucket=bucket, Key=key)["Body"]
        except ClientError as error:
            code = str(error.response["Error"].get("Code"))
            status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
            raise DownloadHTTPError(str(error), MISSING if code in MISSING_IN_S3 else status) from error
        return iter(body.iter_chunks(CHUNK))

    def _s3_client(self) -> Any:
        """Make the client at the first use: credentials, region and AWS_ENDPOINT_URL come from the environment."""
        if self._s3 is None:
            try:
                import boto3.session
                from botocore.config import Config
            except ImportError:
                raise DownloadError("an s3:// repository needs boto3: pip install 'discern-edge[s3]'") from None
            settings = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 3})
            # A session of its own: the shared one keeps the first credentials for ever.
            self._s3 = boto3.session.Session().client("s3", config=settings)
        return self._s3


def _no_page(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """Yield what arrives; no file of a repository begins like a web page."""
    first = next(chunks, b"")
    if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise WebPageError(url)
    yield first
    yield from chunks


def _read_file(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise DownloadHTTPError(f"{path} does not exist", MISSING) from None
    return _chunks(file)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def _only_download_errors(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """The client's base class wraps errors of opening only; a connection may also break half-way."""
    try:
        yield from chunks
    except DownloadError:
        raise
    except Exception as error:
        raise DownloadError(f"{url} broke off: {error}") from error
