"""Dataset versions, as the other rooms use them: made once from photos, read ever after."""

from discern.data.cleaning import CleaningConfig
from discern.data.ingest import write_version
from discern.data.manifest import COLUMNS, DatasetVersion, load_manifest, save_manifest
from discern.data.rejected import Rejected
from discern.data.storing import ShardLimits

__all__ = [
    "COLUMNS",
    "CleaningConfig",
    "DatasetVersion",
    "Rejected",
    "ShardLimits",
    "load_manifest",
    "save_manifest",
    "write_version",
]
