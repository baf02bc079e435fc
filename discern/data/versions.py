"""Dataset versions, as the other rooms use them: made once from photos, read ever after."""

from discern.data.ingest import Rejected, ShardLimits, write_version
from discern.data.manifest import COLUMNS, DatasetVersion, load_manifest, save_manifest

__all__ = [
    "COLUMNS",
    "DatasetVersion",
    "Rejected",
    "ShardLimits",
    "load_manifest",
    "save_manifest",
    "write_version",
]
