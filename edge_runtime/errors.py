"""What can go wrong on a device. One root, and every message is one sentence: what, where, the mend."""


class EdgeError(Exception):
    """Root of every error that a person can meet."""


class ImageError(EdgeError):
    """A photo cannot be used."""


class ReleaseError(EdgeError):
    """A release is incomplete, altered, of another format, or gives other answers than it should."""


class UpdateError(EdgeError):
    """A release could not be fetched, or must not be trusted."""


class SettingsError(EdgeError):
    """A setting or an argument is missing or wrong."""
