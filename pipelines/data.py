"""sources -> clean -> split -> Deepchecks -> dataset version."""

from __future__ import annotations

from typing import Any

from discern.data.checks import CheckConfig
from discern.data.sources import SourceConfig, open_source
from discern.data.splits import SplitConfig
from discern.data.versions import CleaningConfig
from pipelines.checked import checked_pipeline
from pipelines.lookup import version_before
from steps.data.check import check
from steps.data.gate import gate
from steps.data.ingest import ingest


@checked_pipeline
def data_pipeline(
    use_case: str,
    source: SourceConfig,
    splits: SplitConfig = SplitConfig(),
    checks: CheckConfig = CheckConfig(),
    cleaning: CleaningConfig = CleaningConfig(),
) -> None:
    """Make a checked dataset version of a source; it grows from the newest of `use_case` in the active stack's store."""
    asked: dict[str, Any] = {
        "source": source.model_dump(mode="json"),
        "fingerprint": open_source(source).fingerprint(),
        "splits": splits,
        "cleaning": cleaning,
    }
    version, rejected = ingest(**asked, before=version_before(use_case, asked))
    report, _ = check(version=version, rejected=rejected, use_case=use_case, checks=checks)
    gate(version=version, report=report)
