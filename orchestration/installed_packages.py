"""Tell ZenML which packages are installed, which it records with every run.

ZenML asks `uv` or `pip` in a process of its own. An environment that uv made holds no pip, and uv itself need not be on
the path: every run then began with two warnings, and recorded nothing.
"""

from __future__ import annotations

from importlib.metadata import distributions

from zenml.environment import Environment


def installed_packages() -> list[str]:
    """Return `NAME==VERSION` of every package of this environment, sorted."""
    names = {(package.metadata["Name"], package.version) for package in distributions()}
    return sorted(f"{name}=={version}" for name, version in names if name)


def tell_zenml() -> None:
    """Let ZenML record `installed_packages` with the runs of this process."""
    Environment.get_python_packages = staticmethod(installed_packages)  # type: ignore[method-assign]
