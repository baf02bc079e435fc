"""What can go wrong in the library. One root, and every message is one sentence: what, where, the mend."""


class DiscernError(Exception):
    """Root of every error that a person can meet."""


class ConfigError(DiscernError):
    """A configuration names something that does not exist or does not fit."""


class DataError(DiscernError):
    """Photos, labels or a dataset version cannot be used."""


class TrainingError(DiscernError):
    """A model cannot be built, trained or exported."""


class PublicationError(DiscernError):
    """A release cannot be built, signed or published."""


class GateError(DiscernError):
    """A gate refused to let a run go on."""


def first_line(error: Exception) -> str:
    """The first line of another library's error, without its full stop; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
