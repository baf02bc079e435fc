"""The address of a repository: a folder, or a URL that may be signed by its query."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from edge_runtime.errors import SettingsError

SCHEMES = ("file", "http", "https", "s3")
WEB = ("http", "https")


@dataclass(frozen=True)
class RepositoryAddress:
    """Where a repository is.

    Attributes:
        url: of its folder, without a slash at its end and without the query; it may be shown.
        query: sent with every file; it may be a signature, and is shown nowhere.
    """

    url: str
    query: str = field(default="", repr=False)

    def of_file(self, url: str) -> str:
        """Return what to ask a web server for."""
        return f"{url}?{self.query}" if self.query else url

    def without_query(self, text: str) -> str:
        """Return another library's message without the query, which may stand there in another spelling."""
        return re.sub(r"\?[^\s'\")>]*", "", text) if self.query else text


def parse_address(repository: str) -> RepositoryAddress:
    """Return the address of a repository that is named by a folder or a URL.

    Raises:
        SettingsError: it is of a kind that is not read here, or holds a password; the message does not show it.
    """
    parts = urlsplit(repository)
    if not parts.scheme:
        return RepositoryAddress(resolved(repository).as_uri())
    if "@" in parts.netloc:
        raise SettingsError(
            f"the repository's address {parts.scheme}://...@{parts.hostname} holds a name or a password, which is "
            "neither sent nor kept: leave it out, as releases are signed and need none, or use an address that is "
            "signed by its query, or s3://."
        )
    if parts.scheme not in SCHEMES:
        raise SettingsError(f"repository {repository!r} is neither a folder nor a {', '.join(SCHEMES)} address.")
    if parts.scheme not in WEB:
        return RepositoryAddress(repository.rstrip("/"))
    return RepositoryAddress(f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/"), parts.query)


def resolved(path: str) -> Path:
    """Return an absolute path, `~` as the user's home.

    Raises:
        SettingsError: this user has no home.
    """
    try:
        return Path(path).expanduser().resolve()
    except RuntimeError:  # as in a container: HOME is not set, and no entry names the user
        raise SettingsError(
            f"this user has no home folder for {path}: name the device's own folder with --home or DISCERN_EDGE_HOME, "
            "and write paths without ~."
        ) from None
