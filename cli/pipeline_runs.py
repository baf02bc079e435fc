"""Run a pipeline in this process, as `zenml pipeline run` does, and find what it made."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any, Literal

from cli.console import home
from discern.errors import ConfigError

Name = Literal["data", "training", "promotion"]


def run_pipeline(name: Name, config: Path) -> str:
    """Run a pipeline on the active stack.

    Args:
        name: which one.
        config: its run config.

    Returns:
        The use case that the config names.

    Raises:
        ConfigError: the config does not fit, or the environment is not set up.
        DiscernError: a step refuses to go on.
    """
    home()
    if not config.is_file():
        raise ConfigError(f"{config} cannot be read (No such file or directory): name an existing config file.")
    pipeline = getattr(importlib.import_module(f"pipelines.{name}"), f"{name}_pipeline")
    ready = pipeline.with_options(config_path=str(config))
    ready()
    return use_case_of(config)


def use_case_of(config: Path) -> str:
    """Return the use case that a run config names.

    Raises:
        ConfigError: it names none, or cannot be read.
    """
    from orchestration.config_check import read_config

    use_case = (read_config(config, os.environ).get("parameters") or {}).get("use_case")
    if not isinstance(use_case, str):
        raise ConfigError(f"{config}: parameters.use_case is missing.")
    return use_case


def newest(name: Name, artifact: str, use_case: str) -> Any:
    """Return the record of what the newest completed run of a pipeline gave out; `.load()` reads it."""
    from orchestration.artifact_lookup import newest_output

    return newest_output(f"{name}_pipeline", artifact, use_case)
