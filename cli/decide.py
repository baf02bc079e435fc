"""`discern data decide`: settle label conflicts, one picture under several labels, for the next run to take."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.configs import config_file
from cli.console import example, json_option, stdout_for_json, tell, tell_facts, tell_json, user
from discern.errors import ConfigError
from discern.words import counted

if TYPE_CHECKING:
    from discern.datasets.ingest.conflicts import Conflict, Ingested
    from discern.datasets.ingest.decisions import Decision
    from discern.datasets.ingest.rejected import Rejected


@dataclass(frozen=True)
class _Call:
    """What a person decides."""

    photo: str
    label: str
    by: str | None
    why: str
    is_new: bool
    also: bool
    undo: bool


@dataclass(frozen=True)
class _Desk:
    """What a decision on a use case needs.

    Args:
        use_case: as its runs are tagged.
        version: id of the newest version, whether it passed its checks or not.
        report: address of its review page.
        ingested: what a decision is checked against.
        stated: `cleaning.decisions` of the config.
        config: the data pipeline's config.
        table: the table that it names, if it names one.
    """

    use_case: str
    version: str
    report: str
    ingested: Ingested
    stated: Mapping[str, str]
    config: Path
    table: Path | None

    @property
    def advice(self) -> str:
        """The sentence part by which a config comes to name a table."""
        return f"add `decisions: {self.config.parent / 'decisions.csv'}` to the parameters in {self.config}"


# Names of photos and labels may begin with a dash: what is no option of this command is one of them.
@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
    epilog=example(
        "discern data decide parts",
        "discern data decide parts nut-m4/IMG_2541.jpg nut-m5 --why 'the ruler shows 8 mm'",
        "discern data decide parts nut-m4/IMG_2541.jpg --undo",
    ),
)
@click.argument("use_case")
@click.argument("photo", default="")
@click.argument("label", default="")
@click.option("--by", metavar="NAME", help="Who decides.  [default: the user of this machine]")
@click.option("--why", metavar="TEXT", default="", help="The reason.")
@click.option("--new", "is_new", is_flag=True, help="LABEL is a new class.")
@click.option("--also", is_flag=True, help="Keep decisions on other photos of the conflict: they show other things.")
@click.option("--undo", is_flag=True, help="Take the decision on PHOTO back.")
@json_option
def decide(use_case: str, photo: str, label: str, as_json: bool, **options: Any) -> None:
    """Show label conflicts, or decide that PHOTO shows LABEL.

    Shown are those of the newest version, whether it passed its checks or not. A decision is a line in the table that
    `decisions` in configs/USE_CASE/data.yaml names, and the next `discern data run` takes it: the photo is then in the
    version under that label, and the others of the conflict are left out.
    """
    call = _Call(photo, label, **options)
    if photo and bool(label) == call.undo:
        raise click.UsageError("Name a label, or --undo and no label.")
    if call.undo and not photo:
        raise click.UsageError("Name the photo whose decision is taken back.")
    with stdout_for_json(as_json):
        desk = _desk(use_case)
        added = _added(desk, call) if photo else []
        waiver = bool(added) and not call.undo and _takes_waiver_back(desk)
    result = {"use_case": desk.use_case, "version": desk.version, "report": desk.report, "table": _text(desk.table)}
    if photo:
        if as_json:
            tell_json({**result, "added": [asdict(decision) for decision in added]})
        else:
            _tell_added(use_case, desk, added)
            if waiver:
                tell(f"No conflict is open: {desk.config} waives the check of label conflicts no longer.")
        return
    conflicts = desk.ingested.conflicts()
    if as_json:
        tell_json({**result, "conflicts": [_facts(use_case, conflict) for conflict in conflicts]})
    else:
        _tell_conflicts(use_case, desk, conflicts)


def _desk(use_case: str) -> _Desk:
    """Find the newest version of a use case, and what was decided.

    Raises:
        ConfigError: there is no such use case, or no version of it.
        DataError: the table cannot be read.
    """
    from cli.pipeline_runs import ready_pipeline
    from discern.datasets.ingest.conflicts import Ingested
    from discern.datasets.ingest.decisions import read_decisions
    from discern.sources.registry import is_several
    from orchestration.pages import review_page
    from orchestration.version_names import newest_ingestion

    config = config_file(use_case, None, "data")
    pipeline = ready_pipeline("data", config)
    parameters, name = pipeline.configuration.parameters or {}, pipeline.use_case
    table = Path(parameters["decisions"]) if parameters.get("decisions") else None
    ingestion = newest_ingestion(name)
    version = ingestion.version.load()
    first = str(version.all_rows().column("source")[0])
    return _Desk(
        use_case=name,
        version=version.id,
        report=review_page(name, version.id),
        ingested=Ingested(
            labels=version.labels,
            rejected=ingestion.rejected().photos,
            table=read_decisions(table) if table and table.exists() else [],
            prefix="" if is_several(ingestion.parameters["source"]) else f"{first.partition('/')[0]}/",
        ),
        stated=(parameters.get("cleaning") or {}).get("decisions") or {},
        config=config,
        table=table,
    )


def _added(desk: _Desk, call: _Call) -> list[Decision]:
    """Add to the table what a person decides, and return the lines; none where the table says it already.

    Raises:
        ConfigError: the config names no table, or states another decision on the photo.
        DataError: the photo is in no conflict, the label is unknown, or there is no decision to take back.
    """
    from discern.datasets.ingest.decisions import Decision, add_decisions, merged

    if desk.table is None:
        raise ConfigError(f"{desk.config} names no table of decisions: {desk.advice}.")
    table = desk.table
    wanted = Decision(call.photo, call.label, call.by or _user(), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", call.why)

    def choose(lines: list[Decision]) -> list[Decision]:
        ingested = replace(desk.ingested, table=lines)
        if call.undo:
            return ingested.take_back(wanted)
        added = ingested.decide(wanted, is_new=call.is_new, also=call.also)
        merged(desk.stated, [*lines, *added], table)
        return added

    return add_decisions(table, choose)


def _takes_waiver_back(desk: _Desk) -> bool:
    """Take the waiver of label conflicts that `discern init` wrote out of the config, once every conflict is decided.

    It would hide the next conflict.

    Raises:
        ConfigError: the config cannot be written.
    """
    from discern.datasets.ingest.decisions import read_decisions
    from discern.use_cases.config_text import without_waiver
    from edge_runtime.files import write_atomically

    decided = replace(desk.ingested, table=read_decisions(desk.table) if desk.table else [])
    text = desk.config.read_text()
    without = without_waiver(text, "label_conflicts")
    if without == text or any(not conflict.decided for conflict in decided.conflicts()):
        return False
    try:
        write_atomically(desk.config, without.encode())
    except OSError as error:
        raise ConfigError(f"{desk.config} cannot be written ({error.strerror}): take the waiver out by hand.") from None
    return True


def _user() -> str:
    name = user()
    if not name:
        raise ConfigError("This machine does not tell who decides: add --by NAME.")
    return name


def _tell_added(use_case: str, desk: _Desk, added: list[Decision]) -> None:
    for line in added:
        tell(f"{line.photo} is {line.label!r}." if line.label else f"The decision on {line.photo} is taken back.")
    if not added:
        tell("The table says so already: nothing changes.")
    tell_facts({"table": desk.table, "next": f"discern data run {use_case}"})


def _tell_conflicts(use_case: str, desk: _Desk, conflicts: list[Conflict]) -> None:
    undecided = [conflict for conflict in conflicts if not conflict.decided]
    count = counted(len(undecided), "open label conflict")
    tell(f"Dataset version {desk.version} of {desk.use_case} has {count}.")
    for number, conflict in enumerate(undecided, start=1):
        tell("")
        for photo in conflict.photos:
            tell(f"{number:>4}  {photo.decision_name}: {_said(photo)}")
        for command in _commands(use_case, conflict):
            tell(f"      {command}")
    if undecided:
        tell("")
        tell(
            "Each command settles its conflict. Where two photos show two things after all, decide on both with --also."
        )
    for conflict in conflicts:
        for decision in conflict.decided.values():
            tell(f"Decided by {decision.by or 'nobody named'}: {decision.photo} is {decision.label!r}.")
    if desk.table is None:
        tell(f"No decision can be written yet: {desk.advice}.")
    run = f"discern data run {use_case}" if any(conflict.decided for conflict in conflicts) else None
    tell_facts({"report": desk.report, "table": desk.table, "next": run})


def _said(photo: Rejected) -> str:
    """Return what a photo's source says of it."""
    label = "empty" if photo.label is None else repr(photo.label)
    stated = photo.provenance
    if stated is None:
        return label
    when = f"{stated.labelled_at:%Y-%m-%d}" if stated.labelled_at else None
    facts = [fact for fact in (stated.label_method, stated.labelled_by, when) if fact]
    return f"{label} ({', '.join(facts)})" if facts else label


def _facts(use_case: str, conflict: Conflict) -> dict[str, Any]:
    return {
        "photos": [
            {"photo": photo.decision_name, "label": photo.label, "said": _said(photo)} for photo in conflict.photos
        ],
        "decided": [asdict(decision) for decision in conflict.decided.values()],
        "commands": _commands(use_case, conflict),
    }


def _commands(use_case: str, conflict: Conflict) -> list[str]:
    """Return the commands that settle a conflict, one a label."""
    return [
        shlex.join(["discern", "data", "decide", use_case, photo, label]) for label, photo in conflict.choices.items()
    ]


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
