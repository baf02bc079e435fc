"""Find the dataset version that the new one grows from."""

from __future__ import annotations

from typing import Annotated, Any

from zenml import step

from orchestration.artifact_lookup import version_before


# Never cached: every run may find a newer one. The output is a key of the cached steps.
@step(enable_cache=False)
def previous_version(use_case: str, fingerprint: str, parameters: dict[str, Any]) -> Annotated[str, "previous_version"]:
    """Return the id of the artifact that the new dataset version grows from; empty where there is none.

    Args:
        use_case: the tag of the runs.
        fingerprint: of the source as it is now.
        parameters: parameters of the step `ingest`.
    """
    version = version_before(use_case, parameters, fingerprint)
    return "" if version is None else str(version)
