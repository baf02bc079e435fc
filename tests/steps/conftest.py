"""The local stack of these tests."""

from tests.stack import local_stack, zenml_database

__all__ = ["local_stack", "zenml_database"]
