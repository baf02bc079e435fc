"""`discern enrol` and `discern retire`: other classes in the release that devices use, without training."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from cli.configs import CONFIGS, config_file
from cli.console import example, json_option, stdout_for_json, tell, tell_facts, tell_json, together, user
from cli.publications import next_command, state_of
from discern.errors import ConfigError

if TYPE_CHECKING:
    from discern.sources.enrolled.ledger import EnrolmentRequest, OfferedPhoto
    from orchestration.publishing import Publication

SHARED = ("use_case", "keys", "approval", "channels")  # parameters that the enrolment takes from the promotion's config


asking_options = together(
    click.option("--by", default=user, help="Who asks.  [default: the user of this machine]"),
    click.option("--why", help="The reason, for the record."),
)


@click.command(
    epilog=example(
        "discern enrol parts washer-m6 photos/*.jpg",
        "discern enrol parts --from new-parts/   # a folder of photos for each class",
    )
)
@click.argument("use_case")
@click.argument("label", required=False)
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
@click.option("--from", "folder", type=click.Path(path_type=Path), help="A folder that holds one of photos a class.")
@click.option("--replace", is_flag=True, help="Let the photos take the place of those that the class has.")
@asking_options
@json_option
def enrol(
    use_case: str,
    label: str | None,
    photos: Sequence[Path],
    folder: Path | None,
    replace: bool,
    by: str,
    why: str | None,
    as_json: bool,
) -> None:
    """Enrol photos of a class, new or known, in the release that devices use.

    Nothing is trained: the release keeps its model, and its decision rule is fitted again. It goes live if the photos
    are found and no other class suffers; the page shows what a new class is taken for, and which photo to take again.
    """
    offered = _offered(label, photos, folder)
    _run(use_case, offered, replace=replace, by=by, why=why, as_json=as_json)


@click.command(epilog=example("discern retire parts washer-m4 --why 'no longer made'"))
@click.argument("use_case")
@click.argument("labels", nargs=-1, required=True)
@asking_options
@json_option
def retire(use_case: str, labels: Sequence[str], by: str, why: str | None, as_json: bool) -> None:
    """Take classes out of the release that devices use; what shows them is unknown from then on."""
    _run(use_case, [], retired=labels, by=by, why=why, as_json=as_json)


def _run(
    use_case: str,
    offered: Sequence[OfferedPhoto],
    *,
    by: str,
    why: str | None,
    as_json: bool,
    replace: bool = False,
    retired: Sequence[str] = (),
) -> None:
    from cli.pipeline_runs import run_pipeline
    from discern.sources.enrolled.ledger import EnrolmentRequest, Ledger
    from orchestration import storage_layout
    from orchestration.artifact_lookup import newest_output
    from orchestration.mirrors import channels_of
    from orchestration.pages import enrolment_page

    _check_names(by, [*retired, *(photo.label for photo in offered)])
    parameters = enrolment_parameters(use_case)
    name = parameters["use_case"]
    with stdout_for_json(as_json):
        request = EnrolmentRequest(
            use_case=name,
            requested=datetime.now(timezone.utc),
            by=by,
            why=why,
            replace=replace,
            retire=tuple(dict.fromkeys(retired)),
        )
        request = Ledger(storage_layout.enrolments(name)).offer(request, offered)
        with tempfile.TemporaryDirectory(prefix="discern-enrol-") as temporary:
            config = Path(temporary) / "enrolment.yaml"
            config.write_text(yaml.safe_dump({"parameters": {**parameters, "request": request.id}}))
            run_pipeline("enrolment", config)
        asked = {"request": request.id}  # Somebody else's run may be newer.
        publication = newest_output("enrolment_pipeline", "enrolment_publication", name, asked).load()
        report = enrolment_page(name, request.id)
        production = channels_of(name).production
    if as_json:
        tell_json({"use_case": name, "request": request.id, **publication.model_dump(), "report": report})
        return
    tell_publication(request, publication, production, report)


def _check_names(by: str, labels: Sequence[str]) -> None:
    """Refuse a person or a class without a name, or with one that the ledger does not take.

    Raises:
        ConfigError: there is one; it tells all of them.
    """
    from discern.sources.enrolled.ledger import LONGEST_LABEL, LONGEST_NAME

    problems = []
    if not (by.strip() and len(by) <= LONGEST_NAME):
        problems.append(f"nobody is said to ask: say who with --by, in at most {LONGEST_NAME} signs.")
    if not all(label.strip() and len(label) <= LONGEST_LABEL for label in labels):
        problems.append(f"a class has no name, or one of more than {LONGEST_LABEL} signs: give it another one.")
    if problems:
        raise ConfigError("\n".join(problems))


def tell_publication(request: EnrolmentRequest, publication: Publication, production: str, report: str) -> None:
    """Print what became of a request, and what to do next.

    Args:
        request: that was asked for.
        publication: of its release.
        production: the channel that devices follow.
        report: address of the page.
    """
    if publication.channel is None:
        tell(f"Nothing was changed: {publication.reason}.")
        tell_facts({"report": report})
        return
    classes = ", ".join(sorted(request.labels | set(request.retire)))
    state = state_of(publication, production)
    tell(f"Release {publication.release} {state} on channel {publication.channel}, with {classes} changed.")
    tell_facts({"reason": publication.reason, "report": report, "next": next_command(publication, production)})


def enrolment_parameters(use_case: str) -> dict[str, Any]:
    """Return the parameters of the enrolment pipeline, by the configs of a use case.

    Channels, keys, approval, floors and budgets are the promotion's; `enrolment.yaml` may say more, and need not exist.

    Raises:
        ConfigError: the use case has no promotion config, or a config cannot be read.
    """
    from orchestration.config_check import read_config

    promotion = config_file(use_case, None, "promotion")
    parameters = read_config(promotion, os.environ).get("parameters") or {}
    shared = {"use_case": use_case} | {name: parameters[name] for name in SHARED if name in parameters}
    if "gates" in parameters:
        shared["limits"] = parameters["gates"]
    own = CONFIGS / use_case / "enrolment.yaml"
    if own.is_file():
        shared |= read_config(own, os.environ).get("parameters") or {}
    return shared


def _offered(label: str | None, photos: Sequence[Path], folder: Path | None) -> list[OfferedPhoto]:
    """Read the photos that are named.

    Raises:
        click.UsageError: neither photos nor a folder are named, or both.
        ConfigError: a photo cannot be read, or there is none.
    """
    if (folder is None) == (label is None) or (label is not None and not photos):
        raise click.UsageError("Name a class and photos of it, `washer-m6 photos/*.jpg`, or a folder with --from.")
    named = [(label, path) for path in photos] if label is not None else _in_folder(folder or Path())
    return _read(named)


def _in_folder(folder: Path) -> list[tuple[str, Path]]:
    from discern.sources.paths import is_image

    try:
        classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read ({error.strerror}): name a folder.") from None
    named = [
        (of_class.name, path)
        for of_class in classes
        for path in sorted(of_class.rglob("*"))
        if path.is_file() and is_image(path.name)
    ]
    if not named:
        raise ConfigError(f"{folder} holds no folder with photos: put those of a class into a folder of its name.")
    return named


def _read(named: Sequence[tuple[str, Path]]) -> list[OfferedPhoto]:
    from discern.sources.enrolled.ledger import OfferedPhoto

    unread = [(path, problem) for _, path in named if (problem := _problem(path))]
    if unread:
        raise ConfigError("\n".join(f"{path} cannot be read ({why}): name an existing photo." for path, why in unread))
    return [OfferedPhoto(label, str(path), path.read_bytes()) for label, path in named]


def _problem(path: Path) -> str | None:
    """Return why a file cannot be read; None where it can."""
    try:
        path.open("rb").close()
    except OSError as error:
        return error.strerror
    return None
