"""`discern data`: make dataset versions, and look after them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.configs import config_arguments, config_file
from cli.console import InOrder, example, json_option, stdout_for_json, tell, tell_facts, tell_json, tell_table
from cli.decide import decide
from discern.errors import GateError, PublicationError
from discern.words import counted

if TYPE_CHECKING:
    from discern.datasets.ingest.rejected import Rejected
    from orchestration.version_names import VersionRecord

NAMES = """\b
A version is named by
  its id, or the first four digits of it;
  USE_CASE, its newest version that passed its checks;
  USE_CASE@N, ZenML's number of the artifact `dataset_version`;
  the path or s3:// address of a manifest.parquet.
"""


@click.group(cls=InOrder)
def data() -> None:
    """Make checked dataset versions of photos, and look after them."""


@data.command("run", epilog=example("discern data run pills", "discern data run -c configs/pills/data.yaml"))
@config_arguments
@json_option
def run(use_case: str | None, config: Path | None, as_json: bool) -> None:
    """Run the data pipeline: photos in, a checked dataset version out."""
    from cli.pipeline_runs import newest, ready_pipeline
    from orchestration.pages import review_page

    path = config_file(use_case, config, "data")
    with stdout_for_json(as_json):
        pipeline = ready_pipeline("data", path)
        name = pipeline.use_case
        try:
            pipeline()
        except GateError as error:
            raise GateError(f"{error} (See {review_page(name, newest_ingested(name))})") from None
        version = newest("data", "dataset_version", name).load()
        page = review_page(name, version.id)
        conflicts = open_conflicts(newest("data", "rejected", name).load().photos)
    result = {"use_case": name, "version": version.id, "photos": len(version), "classes": len(version.labels)}
    if as_json:
        tell_json({**result, "label_conflicts": conflicts, "report": page})
        return
    tell(f"Dataset version {version.id} of {name}: {len(version):,} photos of {len(version.labels):,} classes.")
    if conflicts:
        tell(f"{counted(conflicts, 'label conflict')} left out: `discern data decide {use_case or name}` settles them.")
    tell_facts({"report": page, "next": f"discern train {use_case or name}"})


def open_conflicts(rejected: Sequence[Rejected]) -> int:
    """Count the label conflicts among the photos that a version leaves out: those of one share their reason."""
    return len({one.reason for one in rejected if one.kind == "conflict"})


def newest_ingested(use_case: str) -> str:
    """Return the id of the newest version of a use case, whether it passed its checks or not."""
    from orchestration.version_names import versions_of

    return versions_of(use_case)[0].id


data.add_command(decide)


@data.command("list", epilog=example("discern data list", "discern data list pills"))
@click.argument("use_case", required=False, metavar="[USE_CASE]")
@json_option
def list_versions(use_case: str | None, as_json: bool) -> None:
    """Show all use cases, or the versions of one.

    Those of the active stack's store are shown, newest version first.
    """
    with stdout_for_json(as_json):
        facts = _use_cases() if use_case is None else _versions(use_case)
    if as_json:
        tell_json(facts)
        return
    if not facts:
        tell("There is no dataset version yet: `discern data run USE_CASE` makes one.")
        return
    if use_case is None:
        header = ("use case", "versions", "newest", "made (UTC)", "photos", "classes", "checks", "release")
        tell_table(header, [_use_case_cells(made) for made in facts])
        return
    tell_table(("version", "ZenML", "made (UTC)", "photos", "classes", "checks"), [_cells(made) for made in facts])


def _versions(use_case: str) -> list[dict[str, Any]]:
    from orchestration.version_names import versions_of

    return [_facts(made) for made in versions_of(use_case)]


def _use_cases() -> list[dict[str, Any]]:
    """Return what is told of each use case: its newest version, and its newest release where there is one."""
    from orchestration.version_names import of_use_case, use_cases

    releases = _newest_releases()
    made = {name: of_use_case(name) for name in use_cases()}
    return [
        {"use_case": name, "versions": len(records), **_facts(records[0]), "release": releases.get(name)}
        for name, records in made.items()
        if records
    ]


def _newest_releases() -> dict[str, str]:
    """Return use case -> id of its newest release; nothing where the stack's repository cannot be read."""
    from orchestration.signing import release_repository

    try:
        oldest_first = reversed(release_repository(None).releases())
    except PublicationError:  # most often there is none yet; `discern release list` says what is wrong
        return {}
    return {published.name: published.id for published in oldest_first}


def _facts(made: VersionRecord) -> dict[str, Any]:
    """Return what is told of a version; None stands for a number that its artifact does not say."""
    metadata = made.artifact.run_metadata
    photos = metadata.get("photos")
    return {
        "version": made.id,
        "numbers": [str(artifact.version) for artifact in made.checked],
        "made": f"{min(artifact.created for artifact in made.artifacts):%Y-%m-%d %H:%M}",
        "photos": sum(photos.values()) if isinstance(photos, dict) else None,
        "classes": metadata.get("classes"),
        "passed": bool(made.checked),
    }


def _cells(facts: dict[str, Any]) -> list[str]:
    return [facts["version"], ", ".join(facts["numbers"]) or "-", *_common_cells(facts)]


def _use_case_cells(facts: dict[str, Any]) -> list[str]:
    name, versions, release = facts["use_case"], f"{facts['versions']:,}", facts["release"] or "-"
    return [name, versions, facts["version"], *_common_cells(facts), release]


def _common_cells(facts: dict[str, Any]) -> list[str]:
    counts = ["-" if facts[name] is None else f"{facts[name]:,}" for name in ("photos", "classes")]
    return [facts["made"], *counts, "passed" if facts["passed"] else "not passed"]


@data.command("diff", epilog=NAMES + "\n" + example("discern data diff pills@1 pills"))
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("--examples", default=5, show_default=True, metavar="N", help="At most N of each kind of change.")
@json_option
def diff(old: str, new: str, examples: int, as_json: bool) -> None:
    """Show what differs between versions A and B.

    Told are the classes and photos that were added, removed, relabelled and moved.
    """
    with stdout_for_json(as_json):
        from discern.datasets.diff import diff_versions
        from orchestration.version_names import open_version

        before, after = open_version(old), open_version(new)
        changes = diff_versions(before, after)
    if as_json:
        tell_json({"old": before.id, "new": after.id, "changes": json.loads(changes.model_dump_json())})
        return
    click.secho(f"{before.id} -> {after.id}", bold=True)
    for line in changes.lines(examples):
        tell(line)


@data.command("restore", epilog=NAMES + "\n" + example("discern data restore pills@1 old-pills"))
@click.argument("name", metavar="A")
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@json_option
def restore_version(name: str, folder: Path, as_json: bool) -> None:
    """Write version A to a new folder.

    It gets one folder a class, and a table of what folders cannot say.
    """
    with stdout_for_json(as_json):
        from discern.datasets.export import TABLE, restore
        from discern.progress import bar
        from orchestration.version_names import open_version

        version = open_version(name)
        with bar(total=len(version.all_rows()), name="writing photos", unit="photo") as progress:
            restored = restore(version, folder, lambda written: progress.update(written - progress.n))
    if as_json:
        result = {"version": version.id, "pictures": restored.pictures, "classes": restored.classes}
        tell_json({**result, "folder": str(restored.folder), "table": TABLE})
        return
    tell(
        f"{restored.folder} holds dataset version {version.id}: {restored.pictures:,} pictures of "
        f"{restored.classes:,} classes, and {TABLE}."
    )
