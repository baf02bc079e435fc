"""A checked pipeline fails with its own exception in Python, and with one sentence on the command line."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from discern.errors import ConfigError, DataError
from edge_runtime.errors import ImageError
from orchestration.checked_pipeline import _is_not_ours, _SentencesOnTheCommandLine
from pipelines.data import data_pipeline


def test_in_python_the_error_is_itself() -> None:
    with pytest.raises(DataError, match="photo"), _SentencesOnTheCommandLine():
        raise DataError("the photo is damaged.")


@pytest.mark.parametrize("error", [DataError("the photo is damaged."), ImageError("the photo is damaged.")])
def test_on_the_command_line_it_is_one_sentence(error: Exception) -> None:
    @click.command()
    def command() -> None:
        with _SentencesOnTheCommandLine():
            raise error

    result = CliRunner().invoke(command)
    assert result.exit_code == 1
    assert result.output == "Error: the photo is damaged.\n"


def test_an_error_that_is_not_ours_keeps_its_traceback() -> None:
    @click.command()
    def command() -> None:
        with _SentencesOnTheCommandLine():
            raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(command).exception, ZeroDivisionError)


def test_only_records_of_our_errors_are_kept_quiet() -> None:
    import logging

    def record(error: Exception) -> logging.LogRecord:
        return logging.LogRecord("zenml", logging.ERROR, "", 0, "Failed to run step `%s`: %s", ("s", error), None)

    assert not _is_not_ours(record(DataError("x")))
    assert _is_not_ours(record(ValueError("x")))


def test_a_missing_config_is_named() -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        data_pipeline.with_options(config_path="none.yaml")
