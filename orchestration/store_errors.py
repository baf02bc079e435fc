"""The artifact store before a run and when it fails in the middle of one: a sentence, and soon.

ZenML hands on whatever its filesystem raises, after minutes of retries and with pages of traceback.
"""

from __future__ import annotations

from pathlib import Path

from zenml.client import Client

from discern.errors import ConfigError, first_line
from discern.storage.causes import cause, is_storage_error
from edge_runtime.errors import UserError


def check_store() -> None:
    """Write, read, list and delete an object in the active artifact store.

    Raises:
        ConfigError: one of these fails; it takes seconds, whatever does not answer.
    """
    from stacks.doctor.bucket import check_bucket
    from stacks.doctor.folder import check_folder

    stack = Client().active_stack
    path = stack.artifact_store.path
    if path.startswith("s3://"):
        findings = check_bucket(path, stack.name)
    elif "://" not in path and Path(path).exists():  # ZenML makes a folder that is missing
        findings = check_folder(Path(path), f"discern stack apply {stack.name}")
    else:
        return
    if faults := [finding.text for finding in findings if finding.level == "fault"]:
        raise ConfigError(" ".join(faults))


def sentence(error: BaseException) -> str | None:
    """Return what a person is told of an error that ended a run; None where it is no error of ours or of a store."""
    if isinstance(error, UserError):
        return str(error)
    if not isinstance(error, Exception) or not is_storage_error(error):
        return None
    why, mend = cause(error)
    return f"The run ended at a file that could not be read or written, for {why} ({first_line(error)}): {mend}."
