"""`discern train` and `discern promote`: from a dataset version to a release candidate, and on to a release."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from cli.configs import config_arguments, config_file
from cli.console import example, json_option, stdout_for_json, tell, tell_facts, tell_json
from cli.publications import next_command, state_of

FIGURES = ("recall_at_1", "unseen_recall_at_1", "tpir", "tnir", "auroc")  # of the test queries, in this order


@click.command(epilog=example("discern train pills", "discern train -c configs/pills/training.yaml"))
@config_arguments
@json_option
def train(use_case: str | None, config: Path | None, as_json: bool) -> None:
    """Train: a dataset version in, a release candidate out."""
    from cli.pipeline_runs import newest, run_pipeline
    from discern.use_cases.next_steps import next_steps
    from orchestration.pages import training_page, verdict_on

    path = config_file(use_case, config, "training")
    with stdout_for_json(as_json):
        name = run_pipeline("training", path)
        measured = newest("training", "test_metrics", name).load()
        metrics = measured.figures()
        release = newest("training", "release_candidate", name).load()
        report = training_page(name, release.id)
        verdict = verdict_on(report)
    run = release.manifest.lineage.mlflow_run
    if as_json:
        result = {"use_case": name, "release": release.id, "metrics": metrics, "report": report, "mlflow_run": run}
        tell_json(result)
        return
    tell(f"Release candidate {release.id} of {name}, measured on the test split:")
    tell_facts({figure.replace("_", " "): f"{metrics[figure]:.3f}" for figure in FIGURES if figure in metrics})
    tell_facts(
        {
            "verdict": verdict,
            "report": report,
            "curves": f"run {release.manifest.lineage.pipeline_run} of the experiment {name}: `discern mlflow`",
            "next": f"discern promote {use_case or name}",
        }
    )
    if advice := next_steps(measured, _learnt(path, release)):
        tell(advice)


@click.command(epilog=example("discern promote pills", "discern promote -c configs/pills/promotion.yaml"))
@config_arguments
@json_option
def promote(use_case: str | None, config: Path | None, as_json: bool) -> None:
    """Publish the candidate if it is better than production.

    The promotion pipeline compares it with the release in production by the gates of its config. The exit status is 0
    also where the candidate is not published: `channel` is then null in the JSON.
    """
    from cli.pipeline_runs import newest, run_pipeline
    from orchestration.mirrors import channels_of
    from orchestration.pages import verdict_on

    path = config_file(use_case, config, "promotion")
    with stdout_for_json(as_json):
        name = run_pipeline("promotion", path)
        publication = newest("promotion", "publication", name).load()
        report = _report(publication.release)
        verdict = verdict_on(report) if report else None
        channels = channels_of(name)
    if as_json:
        tell_json({"use_case": name, **publication.model_dump(), "report": report})
        return
    if publication.channel is None:
        tell(f"Release {publication.release} is not promoted: {publication.reason}; nothing changes.")
        tell_facts({"report": report})
        return
    state = state_of(publication, channels.production)
    tell(f"Release {publication.release} {state} on channel {publication.channel}: {publication.reason}.")
    following = next_command(publication, channels.production)
    tell_facts({"verdict": verdict, "report": report, "next": following})


def _learnt(config: Path, release: Any) -> Any:
    """Say how the release's model was learnt, from the config that it was trained by."""
    from discern.use_cases.next_steps import Learnt
    from orchestration.config_check import read_config

    parameters = read_config(config, os.environ)["parameters"]
    trained = parameters["teacher"] != "none"
    model = parameters["teacher" if trained else "student"]["model"]
    manifest = release.manifest
    enrolled = manifest.counts.gallery / manifest.counts.classes
    if manifest.represent != "exemplars":  # a row a class, whatever it is the mean of
        enrolled = (manifest.gallery and manifest.gallery.photos_per_class) or 0
    return Learnt(
        photos_per_class=enrolled,
        from_weights=bool(model.get("weights") or model.get("pretrained")),
        trained=trained,
        fpir=manifest.decision.fpir,
    )


def _report(release: str) -> str | None:
    """Return the address of the newest page on a release's promotion; None where its run wrote none."""
    from discern.storage.remote import Storage
    from orchestration import storage_layout

    reports = Storage(storage_layout.reports())
    pages = reports.glob(f"promotion/{release}-against-*.html")
    return f"{reports.url}/{min(pages, key=reports.age)}" if pages else None
