"""The toy releases and repository of the library's tests, for its commands."""

from tests.discern.conftest import newer_release, repository, toy_release

__all__ = ["newer_release", "repository", "toy_release"]
