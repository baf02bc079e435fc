"""The local stack of these tests, and a toy release."""

from tests.discern.conftest import toy_release
from tests.stack import local_stack, zenml_database

__all__ = ["local_stack", "toy_release", "zenml_database"]
