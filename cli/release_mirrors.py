"""`discern release check`: ZenML and MLflow say what the channels say; so they do after each change of a channel."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cli.console import example, json_option, stdout_for_json, tell, tell_error, tell_json
from cli.repository_options import is_of_the_active_stack, open_repository, repository_options
from discern.errors import ConfigError, PublicationError

if TYPE_CHECKING:
    from discern.publication.repository import ReleaseRepository
    from orchestration.mirrors import Agreement


def follow_channels(repository: ReleaseRepository, release_id: str) -> None:
    """Let the mirrors of the active stack follow a change that was made; what goes wrong is told and stops nothing.

    Without ZenML, or in a repository of another stack, there is nothing to follow.

    Args:
        repository: that was changed.
        release_id: a release of the use case that was changed.
    """
    try:
        if not is_of_the_active_stack(repository):
            return
        with stdout_for_json(True):
            from orchestration.mirrors import follow

            problems = follow(repository, repository.manifest(release_id).name)
    except (ConfigError, PublicationError) as error:
        problems = [f"ZenML and MLflow do not know of it ({error})"]
    for problem in problems:
        tell_error(problem)


@click.command(epilog=example("discern release check parts --dry-run"))
@click.argument("use_case", required=False, metavar="[USE_CASE]")
@click.option("--dry-run", is_flag=True, help="Change nothing, and show what differs.")
@repository_options
@json_option
def check(use_case: str | None, dry_run: bool, repository: str | None, keys: str | None, as_json: bool) -> None:
    """Say where ZenML and MLflow differ from the channels, and repair them.

    The channels are the truth. ZenML's stages production and staging, and MLflow's aliases champion and challenger,
    repeat what they say; without USE_CASE those of all use cases are compared.
    """
    opened = open_repository(repository, keys)
    if not is_of_the_active_stack(opened):
        raise ConfigError(
            f"{opened.url} is not the repository of the active stack, whose ZenML and MLflow would be compared: set "
            "that stack by `zenml stack set`, or leave --repository out."
        )
    with stdout_for_json(as_json):
        agreements = _compare(opened, use_case, repair=not dry_run)
    if as_json:
        tell_json([_as_json(name, agreement) for name, agreement in agreements.items()])
    else:
        _tell(agreements, dry_run=dry_run)
    if problems := [problem for agreement in agreements.values() for problem in agreement.problems]:
        raise PublicationError(" ".join(problems))


def _compare(repository: ReleaseRepository, use_case: str | None, *, repair: bool) -> dict[str, Agreement]:
    """Compare one use case, or each.

    Raises:
        ConfigError: the repository holds no release of the use case.
    """
    from orchestration.mirrors import agree

    known = sorted({release.name for release in repository.releases()})
    if use_case is not None and use_case not in known:
        raise ConfigError(
            f"{repository.url} holds no release of the use case {use_case!r}: known are {', '.join(known) or 'none'}."
        )
    names = known if use_case is None else [use_case]
    return {name: agree(repository, name, repair=repair) for name in names}


def _tell(agreements: dict[str, Agreement], *, dry_run: bool) -> None:
    for name, agreement in agreements.items():
        if not (agreement.differences or agreement.problems):
            tell(f"{name}: channels, ZenML and MLflow agree.")
        for difference in agreement.differences:
            failed = any(problem.startswith(difference.mirror) for problem in agreement.problems)
            tell(f"{name}: {difference}{'' if dry_run or failed else ': repaired'}.")


def _as_json(use_case: str, agreement: Agreement) -> dict[str, Any]:
    return {"use_case": use_case, **asdict(agreement)}
