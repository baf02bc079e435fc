"""Look at the source from where the run takes place."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import TypeAdapter
from zenml import step

from discern.sources.registry import SourceConfig, open_source
from orchestration.secrets import provide


# Never cached: what is asked is what lies there now. The output is a key of the cached steps.
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
