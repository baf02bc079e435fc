"""sources -> clean -> split -> Deepchecks -> dataset version."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from discern.data.checks import CheckConfig
from discern.data.sources import SourceConfig, open_source
from discern.data.splits import SplitConfig
from pipelines.checked import checked_pipeline
from steps.data.check import check
from steps.data.gate import gate
from steps.data.ingest import ingest


@checked_pipeline
def data_pipeline(
    use_case: str,
    source: SourceConfig,
    splits: SplitConfig = SplitConfig(),
    checks: CheckConfig = CheckConfig(),
    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.0,
) -> None:
    """Make a checked dataset version of a source."""
    version, rejected = ingest(
        source=source.model_dump(mode="json"),
        fingerprint=open_source(source).fingerprint(),
        splits=splits,
        max_rejected_share=max_rejected_share,
    )
    report, _ = check(version=version, rejected=rejected, use_case=use_case, checks=checks)
    gate(version=version, report=report)
