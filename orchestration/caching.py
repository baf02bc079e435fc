"""Cache keys that know the library.

ZenML's key holds a step's own source, not the helpers that it calls: without this a changed `discern/` would give stale
results.
"""

from __future__ import annotations

from pathlib import Path

from zenml.config.cache_policy import CachePolicy

from discern.source_code import code_mark

REPOSITORY = Path(__file__).resolve().parent.parent


def depends_on(*places: str) -> CachePolicy:
    """A cache policy with every Python file under `places` in its key.

    Args:
        places: files and folders relative to the repository's root, such as `discern/data`.

    Raises:
        FileNotFoundError: a place holds no Python file: a key that lacks it would not notice its changes.
    """
    files: set[str] = set()
    for place in places:
        path = REPOSITORY / place
        found = [path] if path.is_file() else sorted(path.rglob("*.py"))
        if not found or not all(file.is_file() for file in found):
            raise FileNotFoundError(f"{path} holds no Python file")
        files.update(str(file.relative_to(REPOSITORY)) for file in found)
    return CachePolicy(file_dependencies=sorted(files))


def code_hash(policy: CachePolicy) -> str:
    """What the files of a policy do, as a hash: for what is kept outside ZenML's cache, such as checkpoints."""
    return code_mark(REPOSITORY / name for name in policy.file_dependencies or [])
