"""`discern demo`: the whole loop on sample pills."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from cli.console import example, home, json_option, stdout_for_json, tell_json

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "pills"


@click.command(epilog=example("discern demo"))
@click.option(
    "--configs",
    type=click.Path(path_type=Path),
    default=CONFIGS,
    show_default="configs/pills",
    help="Folder of the three configs.",
)
@json_option
def demo(configs: Path, as_json: bool) -> None:
    """Run the whole loop on sample pills, in minutes.

    It goes from photos to an answer on the device.
    """
    # Read when ZenML is imported, which is later: the demo tells its own story.
    os.environ.setdefault("ZENML_LOGGING_VERBOSITY", "WARN")
    folder = home()
    with stdout_for_json(as_json):
        from rich.console import Console

        from cli.demo_loop import run

        result = run(folder, Console(highlight=False), configs)
    if as_json:
        tell_json(asdict(result))
