"""sources -> clean -> split -> Deepchecks -> dataset version."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.splits.assign import SplitConfig
from discern.errors import ConfigError
from discern.learning.config import TrainingConfig
from discern.learning.preview import PreviewConfig
from discern.quality.checks import CheckConfig
from discern.sources.registry import SourceConfig, open_source
from orchestration.artifact_lookup import version_before
from orchestration.checked_pipeline import checked_pipeline
from orchestration.config_check import read_config
from orchestration.secrets import provide
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
    training: str | None = None,
) -> None:
    """Make a checked dataset version of a source; it grows from the newest of `use_case` in the active stack's store.

    Args:
        use_case: the name that later pipelines find the version by.
        source: where the photos are.
        splits: how they are split.
        checks: limits of the checks, and waivers.
        cleaning: what is left out.
        training: path of the training pipeline's config, so that the report shows the photos as it changes them.
    """
    if source.kind == "labelbox":
        provide()
    asked: dict[str, Any] = {
        "source": source.model_dump(mode="json"),
        "fingerprint": open_source(source).fingerprint(),
        "splits": splits,
        "cleaning": cleaning,
    }
    before = version_before(use_case, asked)
    version, rejected = ingest(**asked, before=before)
    report, _ = check(
        version=version,
        rejected=rejected,
        use_case=use_case,
        checks=checks,
        preview=None if training is None else training_preview(Path(training)),
        before=before,
    )
    gate(version=version, report=report)


def training_preview(path: Path) -> PreviewConfig:
    """What a training config does to photos.

    Raises:
        ConfigError: it cannot be read, or does not say it.
    """
    parameters = read_config(path, os.environ).get("parameters") or {}
    try:
        augment = TrainingConfig.model_validate(parameters["teacher"]).augment
        return PreviewConfig(image=parameters["image"], augment=augment)
    except (KeyError, ValidationError) as error:
        raise ConfigError(f"{path} is no config of the training pipeline ({' '.join(str(error).split())}).") from None
