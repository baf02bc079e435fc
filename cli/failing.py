"""The last line of a command that failed."""

from __future__ import annotations

from rich.console import Console


def fail(error: Exception) -> int:
    """Print an error as one red sentence on the error stream, and return exit status 1."""
    Console(stderr=True).print(str(error), style="red", highlight=False, soft_wrap=True, markup=False)
    return 1
