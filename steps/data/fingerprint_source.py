"""Look at the source from where the run takes place."""

from __future__ import annotations

from typing import Annotated, Any

from zenml import step

from discern.sources.registry import open_source, read_source_config
from orchestration.secrets import provide_for


# Never cached: what is asked is what lies there now. The output is a key of the cached steps.
@step(enable_cache=False)
def fingerprint_source(source: dict[str, Any]) -> Annotated[str, "source_fingerprint"]:
    """List the source, or the several sources; the fingerprint changes whenever a photo or a label may have changed.

    Raises:
        DataError: the source cannot be used.
    """
    config = read_source_config(source)
    provide_for(config)
    return open_source(config).fingerprint()
