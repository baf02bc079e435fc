"""Look at the source from where the run takes place, and find the version that the new one grows from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import TypeAdapter
from zenml import step

from discern.sources.registry import SourceConfig, open_source
from orchestration.artifact_lookup import version_before
from orchestration.secrets import provide


# Neither step is ever cached: what is asked is what lies there now. Their outputs are keys of the cached steps.
@step(enable_cache=False)
def fingerprint_source(source: dict[str, Any]) -> Annotated[str, "source_fingerprint"]:
    """List the source; its fingerprint changes whenever a photo or a label of it may have changed.

    Raises:
        DataError: the source cannot be used.
    """
    config: SourceConfig = TypeAdapter(SourceConfig).validate_python(source)
    if config.kind == "labelbox":
        provide()
    return open_source(config).fingerprint()


@step(enable_cache=False)
def previous_version(use_case: str, fingerprint: str, asked: dict[str, Any]) -> Annotated[str, "previous_version"]:
    """Return the id of the artifact that the new dataset version grows from; empty where there is none.

    Args:
        use_case: the tag of the runs.
        fingerprint: of the source as it is now.
        asked: parameters of the step `ingest`.
    """
    version = version_before(use_case, asked, fingerprint)
    return "" if version is None else str(version)
