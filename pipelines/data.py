"""sources -> clean -> split -> Deepchecks -> dataset version."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import steps.data
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.splits.assign import SplitConfig
from discern.learning.preview import preview_of
from discern.quality.checks.model import CheckConfig
from discern.sources.registry import NamedSources, SourceConfig, describe_sources, one_config, with_enrolments
from orchestration import storage_layout
from orchestration.artifact_lookup import plain
from orchestration.checked_pipeline import checked_pipeline
from orchestration.config_check import read_config
from orchestration.decisions import with_decisions


@checked_pipeline(steps=steps.data)
def data_pipeline(  # noqa: PLR0913, PLR0917  these are the keys of its YAML
    use_case: str,
    source: SourceConfig | None = None,
    sources: NamedSources | None = None,
    splits: SplitConfig = SplitConfig(),
    checks: CheckConfig = CheckConfig(),
    cleaning: CleaningConfig = CleaningConfig(),
    decisions: str | None = None,
    training: str | None = None,
    enrolments: bool = True,
) -> None:
    """Make a checked dataset version of a source; it grows from the newest of `use_case` in the active stack's store.

    Args:
        use_case: the name that later pipelines find the version by.
        source: where the photos are.
        sources: where they are, if there are several sources; each has a name, a config and perhaps a provenance.
        splits: how they are split.
        checks: limits of the checks, and waivers.
        cleaning: what is left out.
        decisions: path of the table of decisions on label conflicts (`discern data decide` writes it); it is read when
            the run is planned.
        training: path of the training pipeline's config, so that the report shows the photos as it changes them.
        enrolments: whether what was enrolled without training counts: its photos join the version, and those of classes
            that were retired or replaced are left out.

    Raises:
        ConfigError: there is neither `source` nor `sources`, or there are both; or the table of decisions is lost, or
            does not agree with `cleaning.decisions`.
        DataError: the table of decisions, or what was enrolled, cannot be read.
    """
    cleaning = with_decisions(cleaning, decisions, use_case)
    # Imported here, for that takes seconds: a config is checked before.
    from steps.data.check import check
    from steps.data.fingerprint_source import fingerprint_source
    from steps.data.gate import gate
    from steps.data.ingest import ingest
    from steps.data.previous_version import previous_version

    own = one_config(source, sources)
    named = with_enrolments(own, storage_layout.enrolments(use_case)) if enrolments else own
    config = named.model_dump(mode="json")
    parameters: dict[str, Any] = {"source": config, "splits": splits, "cleaning": cleaning}
    fingerprint = fingerprint_source(source=config)
    previous = previous_version(use_case=use_case, fingerprint=fingerprint, parameters=plain(parameters))
    version, rejected = ingest(**parameters, fingerprint=fingerprint, previous=previous)
    report, _ = check(
        version=version,
        rejected=rejected,
        use_case=use_case,
        checks=checks,
        max_rejected_share=cleaning.max_rejected_share,
        preview=preview_of(read_config(Path(training), os.environ), training) if training else None,
        previous=previous,
        sources=describe_sources(named),
    )
    gate(version=version, report=report)
