"""Decisions on label conflicts, out of their table into a run's parameters, so that cache keys hold them."""

from __future__ import annotations

from pathlib import Path

from zenml.logger import get_logger

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.decisions import COLUMNS, merged, read_decisions
from discern.errors import ConfigError
from orchestration.artifact_lookup import ingestions

logger = get_logger(__name__)


def with_decisions(cleaning: CleaningConfig, table: str | None, use_case: str) -> CleaningConfig:
    """Return the settings with the decisions of a table among theirs.

    A table that does not exist holds no decisions, as long as the newest version was made without any; that is told.

    Args:
        cleaning: the settings.
        table: path of the table; None for none.
        use_case: the tag of the runs.

    Raises:
        ConfigError: the table is lost or its folder does not exist, or it does not agree with `cleaning.decisions`.
        DataError: the table cannot be read.
    """
    if table is None:
        return cleaning
    path = Path(table)
    try:
        decisions = merged(cleaning.decisions, read_decisions(path), path)
    except FileNotFoundError:
        _check_never_made(path, cleaning, use_case)
        logger.info("%s does not exist yet: nobody has decided on a label conflict.", path)
        return cleaning
    return cleaning.model_copy(update={"decisions": decisions})


def _check_never_made(path: Path, cleaning: CleaningConfig, use_case: str) -> None:
    """Refuse to go on without a table that there was: what people decided would be undone in silence.

    Raises:
        ConfigError: its folder is missing, or the newest version was made with decisions that the config does not hold.
    """
    if not path.parent.is_dir():
        raise ConfigError(
            f"{path}: the folder of the table of decisions does not exist: correct `decisions`, or run this where "
            "the path leads to it."
        )
    newest = next(ingestions(use_case), None)
    earlier = newest.parameters.get("cleaning", {}).get("decisions", {}) if newest else {}
    if lost := sorted(earlier.keys() - cleaning.decisions.keys()):
        raise ConfigError(
            f"{path} does not exist, and the newest version of {use_case} was made with {len(lost)} decisions (such as "
            f"{lost[0]}: {earlier[lost[0]]}): restore the file, or, to do without them, make one that holds the line "
            f"{','.join(COLUMNS)} alone."
        )
