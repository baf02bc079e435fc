"""Look after dataset versions: `python -m cli.versions list|diff|restore`.

A version is named by its id or the first four digits of it, by USE_CASE (its newest that passed its checks), by
USE_CASE@N (ZenML's number of the artifact `dataset_version`), or by the path or s3:// address of a manifest.parquet.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.failing import fail
from discern.datasets.diff import diff_versions
from discern.datasets.export import TABLE, restore
from discern.progress import bar
from edge_runtime.errors import UserError

if TYPE_CHECKING:
    from orchestration.version_names import VersionRecord


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    # Read when ZenML is imported, which is later: this command says what it does itself.
    os.environ.setdefault("ZENML_LOGGING_VERBOSITY", "WARN")
    try:
        options.run(options, Console(highlight=False, soft_wrap=True))
    except UserError as error:
        return fail(error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cli.versions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    text = "show the versions of a use case in the active stack's store, newest first"
    listing = commands.add_parser("list", help=text, description=text)
    listing.add_argument("use_case", metavar="USE_CASE")
    listing.set_defaults(run=_list)
    text = "show what differs between two versions: classes and photos added, removed, relabelled, moved"
    diff = commands.add_parser("diff", help=text, description=text)
    diff.add_argument("old", metavar="A")
    diff.add_argument("new", metavar="B")
    diff.add_argument("--json", action="store_true", help="every change, as JSON")
    diff.add_argument("--examples", type=int, default=5, metavar="N", help="at most N of each kind (5)")
    diff.set_defaults(run=_diff)
    text = f"write a version to a new folder: one folder a class, and {TABLE} with what folders cannot say"
    restoring = commands.add_parser("restore", help=text, description=text)
    restoring.add_argument("version", metavar="A")
    restoring.add_argument("folder", type=Path, metavar="FOLDER")
    restoring.set_defaults(run=_restore)
    return parser


def _list(options: argparse.Namespace, console: Console) -> None:
    from orchestration.version_names import versions_of

    table = Table("version", "ZenML", "made (UTC)", "photos", "classes", "checks")
    for one in versions_of(options.use_case):
        table.add_row(*_cells(one))
    console.print(table)


def _cells(one: VersionRecord) -> list[str]:
    told = one.artifact.run_metadata
    photos = told.get("photos")
    return [
        one.id,
        ", ".join(str(artifact.version) for artifact in one.checked) or "-",
        f"{min(artifact.created for artifact in one.artifacts):%Y-%m-%d %H:%M}",
        f"{sum(photos.values()):,}" if isinstance(photos, dict) else "-",
        f"{told.get('classes', '-'):,}",
        "passed" if one.checked else "not passed",
    ]


def _diff(options: argparse.Namespace, console: Console) -> None:
    from orchestration.version_names import open_version

    old, new = open_version(options.old), open_version(options.new)
    changes = diff_versions(old, new)
    if options.json:
        sys.stdout.write(json.dumps({"old": old.id, "new": new.id, "changes": changes.model_dump(mode="json")}) + "\n")
        return
    console.print(Text(f"{old.id} -> {new.id}", style="bold"))
    for line in changes.lines(options.examples):
        console.print(Text(line))


def _restore(options: argparse.Namespace, console: Console) -> None:
    from orchestration.version_names import open_version

    version = open_version(options.version)
    with bar(total=len(version.all_rows()), name="writing photos", unit="photo") as progress:
        restored = restore(version, options.folder, lambda written: progress.update(written - progress.n))
    console.print(
        Text(
            f"{restored.folder} holds dataset version {version.id}: {restored.pictures:,} pictures of "
            f"{restored.classes:,} classes, and {TABLE}."
        )
    )


if __name__ == "__main__":
    sys.exit(main())
