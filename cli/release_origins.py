"""What a release is made of: `discern release diff|lineage|rebuild`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import example, json_option, stdout_for_json, tell, tell_facts, tell_json
from cli.repository_options import is_of_the_active_stack, open_repository, repository_options
from discern.errors import ConfigError, PublicationError

if TYPE_CHECKING:
    from discern.publication.repository import ReleaseRepository
    from discern.releases.diff import ReleaseDiff
    from edge_runtime.core.release import ReleaseManifest

SHOWN = 10  # classes that are named
WORDS = {"on": "channel", "by": "by", "after decision": "decision"}  # of a line of the history


@click.command(epilog=example("discern release diff 8bad0c1d2e3f4a5b 9c0d1e2f3a4b5c6d"))
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@repository_options
@json_option
def diff(before: str, after: str, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Show what release B has otherwise than release A, and what a device fetches to go from A to B."""
    from discern.releases.diff import diff_releases

    opened = open_repository(repository, keys)
    with tempfile.TemporaryDirectory(prefix="diff-") as folder:
        old, new = (opened.fetch(release, Path(folder) / str(number)) for number, release in enumerate((before, after)))
        found = diff_releases(old, new)
    if as_json:
        tell_json(asdict(found))
        return
    tell(f"{found.before} -> {found.after}:")
    tell_facts(_diff_facts(found))


def _diff_facts(found: ReleaseDiff) -> dict[str, str]:
    others = "not told, for another model embeds them" if found.other_photos is None else _named(found.other_photos)
    return {
        "classes": " -> ".join(f"{count:,}" for count in found.classes),
        "added": _named(found.added),
        "retired": _named(found.retired),
        "other photos": others,
        "model": "the same" if found.same_model else "another",
        **{f"rule: {name}": _pair(*pair) for name, pair in found.rule.items()},
        **{name: _pair(*pair) for name, pair in found.figures.items()},
        "to fetch": f"{sum(found.fetched.values()) / 1e6:.1f} of {found.size / 1e6:.1f} MB: "
        f"{', '.join(sorted(found.fetched)) or 'nothing'}",
    }


def _named(labels: tuple[str, ...]) -> str:
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return (", ".join(labels[:SHOWN]) or "none") + more


def _pair(before: float | None, after: float | None) -> str:
    return " -> ".join("none" if value is None else f"{value:.4g}" for value in (before, after))


@click.command(epilog=example("discern release lineage 8bad0c1d2e3f4a5b"))
@click.argument("release_id", metavar="RELEASE")
@repository_options
@json_option
def lineage(release_id: str, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Show where RELEASE came from: dataset version, commit, runs, config, and what was decided about it.

    A release that was enrolled into another one is followed by that one. `--json` tells the config of the run too.
    """
    opened = open_repository(repository, keys)
    with stdout_for_json(as_json):
        told = [_origin(opened, release, manifest) for release, manifest in _chain(opened, release_id)]
    if as_json:
        tell_json(told)
        return
    for origin in told:
        tell(f"Release {origin['release']} of {origin['name']}:")
        tell_facts({name: origin[name] for name in origin if name not in ("release", "name", "config", "decisions")})
        for decision in origin["decisions"]:
            tell(f"  {history_line(decision)}")


def _chain(repository: ReleaseRepository, release: str) -> list[tuple[str, ReleaseManifest]]:
    """Return a release, the one that it was enrolled into, and so on, as far as the repository holds them."""
    chain = [(release, repository.manifest(release))]
    held = {published.id for published in repository.releases()}
    while (base := _enrolled_into(chain[-1][1])) in held:
        chain.append((str(base), repository.manifest(str(base))))
    return chain


def _enrolled_into(manifest: ReleaseManifest) -> str | None:
    return getattr(manifest.lineage, "enrolled_into", None)


def _origin(repository: ReleaseRepository, release: str, manifest: ReleaseManifest) -> dict[str, Any]:
    history = repository.history().records
    stated = manifest.lineage.model_dump(mode="json")
    told = {"release": release, "name": manifest.name, "created": manifest.created.isoformat(), **stated}
    if is_of_the_active_stack(repository):
        from orchestration.release_origins import origin_of

        origin = origin_of(manifest)
        told |= {"dataset": origin.dataset, "zenml_run": origin.run, "status": origin.status, "config": origin.config}
    decisions = [record.model_dump(mode="json") for record in history if release in (record.release, record.previous)]
    return told | {"decisions": decisions}


def history_line(record: Mapping[str, str | None]) -> str:
    """Return a record of the history as a line, of which parts that are not known are left out."""
    said = [record["when"], record["action"], record["release"]]
    said += [f"{word} {record[part]}" for word, part in WORDS.items() if record[part]]
    return " ".join(filter(None, said)) + (f": {record['why']}" if record["why"] else "")


@click.command(epilog=example("discern release rebuild 8bad0c1d2e3f4a5b"))
@click.argument("release_id", metavar="RELEASE")
@repository_options
@json_option
def rebuild(release_id: str, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Build the index of RELEASE anew from its dataset version, and say whether it is what was shipped.

    The release's own model embeds the photos. Nothing is written to the repository.
    """
    from discern.releases.rebuild import rebuild as build_again

    opened = open_repository(repository, keys)
    with stdout_for_json(as_json), tempfile.TemporaryDirectory(prefix="rebuild-") as folder:
        from orchestration.version_names import open_version

        base, manifest = _chain(opened, release_id)[-1]
        _check_can_be_rebuilt(base, manifest)
        version = open_version(str(manifest.lineage.dataset_version))
        made = build_again(opened.fetch(base, Path(folder) / "release"), version)
    if as_json:
        tell_json({"release": release_id, "rebuilt": base, "dataset_version": version.id, **asdict(made)})
    else:
        if base != release_id:
            tell(f"Release {release_id} was enrolled into {base}, which is what its dataset version can give.")
        cosine = "" if made.least_cosine is None else f", least cosine {made.least_cosine:.6f}"
        tell(f"Built from {version.id}: {made.rows:,} rows{cosine}; {made.alike:,} of {made.queries:,} answers alike.")
    if made.differences:
        raise PublicationError(
            f"Release {base} is not what dataset version {version.id} gives: {'; '.join(made.differences)}."
        )


def _check_can_be_rebuilt(release: str, manifest: ReleaseManifest) -> None:
    """Refuse a release of which nothing tells the photos.

    Raises:
        ConfigError: it states no dataset version, or the release that it was enrolled into is not here.
    """
    if base := _enrolled_into(manifest):
        raise ConfigError(
            f"release {release} was enrolled into {base}, which is not in the repository any more, and its dataset "
            "version lacks what was enrolled: there is nothing to compare it with."
        )
    if manifest.lineage.dataset_version is None:
        raise ConfigError(
            f"release {release} does not state its dataset version: nothing tells what it was built from."
        )
