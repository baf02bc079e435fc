"""Run a pipeline in this process, as `zenml pipeline run` does, and find what it made."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cli.console import home
from discern.errors import ConfigError

if TYPE_CHECKING:
    from orchestration.checked_pipeline import CheckedPipeline

Name = Literal["data", "training", "promotion", "enrolment"]


def run_pipeline(name: Name, config: Path) -> str:
    """Run a pipeline on the active stack.

    Args:
        name: which one.
        config: its run config.

    Returns:
        The use case that the config is of.

    Raises:
        ConfigError: the config does not fit, or the environment is not set up.
        DiscernError: a step refuses to go on.
    """
    ready = ready_pipeline(name, config)
    ready()
    return ready.use_case


def ready_pipeline(name: Name, config: Path) -> CheckedPipeline:
    """Return a pipeline with its config, which was checked.

    Raises:
        ConfigError: the config does not fit, or the environment is not set up.
    """
    home()
    if not config.is_file():
        raise ConfigError(f"{config} cannot be read (No such file or directory): name an existing config file.")
    pipeline = getattr(importlib.import_module(f"pipelines.{name}"), f"{name}_pipeline")
    ready: CheckedPipeline = pipeline.with_options(config_path=str(config))
    return ready


def newest(name: Name, artifact: str, use_case: str) -> Any:
    """Return the record of what the newest completed run of a pipeline gave out; `.load()` reads it."""
    from orchestration.artifact_lookup import newest_output

    return newest_output(f"{name}_pipeline", artifact, use_case)
