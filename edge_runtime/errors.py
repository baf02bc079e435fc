"""Errors that a person can meet. One root, and every message is one sentence: what, where, the mend."""


class UserError(Exception):
    """Root of every error that a person can meet, on the device and in the library that is built on it."""


class EdgeError(UserError):
    """Root of the device's errors."""


class ImageError(EdgeError):
    """A photo cannot be used."""


class ReleaseError(EdgeError):
    """A release is incomplete, altered, of another format, or gives other answers than it should."""


class UpdateError(EdgeError):
    """A release could not be fetched, or must not be trusted."""


class SettingsError(EdgeError):
    """A setting or an argument is missing or wrong."""


def first_line(error: Exception) -> str:
    """Return the first line of another library's error, without its full stop; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
