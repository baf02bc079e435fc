"""Which config a command means: a use case by its name, or a file."""

from __future__ import annotations

from pathlib import Path

import click

from cli.console import together
from discern.errors import ConfigError
from discern.suggestions import suggest

CONFIGS = Path("configs")


config_arguments = together(
    click.argument("use_case", required=False, metavar="[USE_CASE]"),
    click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        help="A config file, instead of that in configs/USE_CASE/; docs/configs.md lists its keys.",
    ),
)


def config_file(use_case: str | None, config: Path | None, pipeline: str) -> Path:
    """Return the config of a pipeline.

    Args:
        use_case: name of a folder in `configs/`.
        config: a file instead.
        pipeline: data, training or promotion.

    Raises:
        click.UsageError: neither is named, or both are.
        ConfigError: there is no such use case, or it has no such config.
    """
    if (use_case is None) == (config is None):
        raise click.UsageError(f"Name a use case or a config file: `pills`, or `-c configs/pills/{pipeline}.yaml`.")
    if config is not None:
        return config
    path = CONFIGS / str(use_case) / f"{pipeline}.yaml"
    if path.is_file():
        return path
    known = sorted(path.parent.name for path in CONFIGS.glob(f"*/{pipeline}.yaml"))
    elsewhere = "run this in the folder that holds `configs`, or name a file with -c."
    otherwise = f"known are {', '.join(known)}." if known else elsewhere
    raise ConfigError(f"{path} does not exist: {suggest(str(use_case), known, otherwise)}")
