"""`discern init`: from a folder of photos to configs that are ready to run."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.configs import CONFIGS
from cli.console import example, json_option, stdout_for_json, tell, tell_facts, tell_json
from discern.errors import ConfigError, DataError

if TYPE_CHECKING:
    from discern.use_cases.layout import Kind, Layout
    from discern.use_cases.look import Look
    from discern.use_cases.proposal import Foretold, Proposal

BUSY = 1.6  # times as long as on a machine that does nothing else
LAYOUTS = ("folder", "coco", "voc", "yolo", "cvat", "label_studio", "table")


@click.command(epilog=example("discern init parts --photos ~/photos"))
@click.argument("name")
@click.option("--photos", required=True, help="A folder or .zip of photos, or either in a bucket (s3://...).")
@click.option("--layout", "kind", type=click.Choice(LAYOUTS), help="How the photos lie.  [default: as is seen]")
@click.option("--force", is_flag=True, help="Replace the configs of NAME.")
@json_option
def init(name: str, photos: str, kind: Kind | None, force: bool, as_json: bool) -> None:
    """Look at photos and write configs/NAME/, ready to run.

    All photos are read once, checked as the data pipeline checks them, and trained on for a few steps to foretell how
    long the pipelines take. What is found is told; nothing is written if the photos cannot be used.
    """
    folder = CONFIGS / name
    location = photos if photos.startswith("s3://") else str(Path(photos).expanduser().absolute())
    with stdout_for_json(as_json), tempfile.TemporaryDirectory(prefix="discern-init-") as temporary:
        layout = _checked_layout(name, folder, location, kind, force=force)
        from discern.use_cases.config_files import write_configs
        from discern.use_cases.look import look
        from discern.use_cases.proposal import foretell, propose
        from discern.use_cases.speed import measure_speed

        seen = look(layout, location, Path(temporary))
        speed = measure_speed(seen)
        proposal = propose(name, seen.summary, seen.splits, speed)
        minutes = foretell(proposal, speed, len(seen.version))
        write_configs(folder, _texts(proposal, seen, layout, folder, minutes))
    if as_json:
        tell_json(_result(proposal, seen, folder, minutes) | {"slowdown": speed.slowdown})
        return
    _tell(proposal, seen, folder, minutes)
    if speed.slowdown > BUSY:
        tell(f"With what else runs on this machine now, each takes about {speed.slowdown:.0f} times as long.")


def _checked_layout(name: str, folder: Path, location: str, kind: Kind | None, *, force: bool) -> Layout:
    """Return how the photos are laid out.

    Raises:
        ConfigError: the configs cannot be written, or the photos cannot be used; a sentence for each problem.
    """
    from discern.sources.files.open import open_tree
    from discern.use_cases.config_files import name_problems
    from discern.use_cases.layout import recognise

    problems = name_problems(name, folder, force=force)
    layout = None
    try:
        layout = recognise(open_tree(location), location, kind)
    except DataError as error:
        problems.append(str(error))
    if problems or layout is None:
        raise ConfigError("\n".join(problems))
    return layout


def _texts(proposal: Proposal, seen: Look, layout: Layout, folder: Path, minutes: Foretold) -> dict[str, str]:
    from discern.use_cases.config_text import data_text, promotion_text, training_text

    return {
        "data": data_text(proposal, seen.summary, layout.source, str(folder / "decisions.csv")),
        "training": training_text(proposal, seen.summary, minutes),
        "promotion": promotion_text(proposal, seen.summary),
    }


def _result(proposal: Proposal, seen: Look, folder: Path, minutes: Foretold) -> dict[str, Any]:
    summary = asdict(seen.summary)
    del summary["short_sides"]
    return {
        "use_case": proposal.use_case,
        "configs": str(folder),
        "can_be_released": seen.summary.split.can_be_released,
        "learning": proposal.recipe.way,
        "minutes": asdict(minutes),
        "photos": summary | {"median_short_side": seen.summary.median_short_side},
    }


def _tell(proposal: Proposal, seen: Look, folder: Path, minutes: Foretold) -> None:
    from discern.progress import duration
    from discern.use_cases.proposal import limits
    from discern.use_cases.summary import described

    for line in (*described(seen.summary), *limits(seen.summary)):
        tell(line)
    tell("")
    tell(f"{folder} is ready. Next, with the time that each takes on this machine, about:")
    name = proposal.use_case
    tell_facts(
        {
            f"discern data run {name}": duration(minutes.data * 60),
            f"discern train {name}": duration(minutes.training * 60),
            f"discern promote {name}": duration(minutes.promotion * 60),
        }
    )
