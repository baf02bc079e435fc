"""A checked pipeline fails with its own exception in Python, and with one sentence on the command line."""

from __future__ import annotations

import errno
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from discern.errors import ConfigError, DataError
from edge_runtime.errors import ImageError
from orchestration.checked_pipeline import CheckedPipeline, _has_no_sentence, _SentencesOnTheCommandLine
from pipelines.data import data_pipeline
from pipelines.training import training_pipeline


def test_in_python_the_error_is_itself() -> None:
    with pytest.raises(DataError, match="photo"), _SentencesOnTheCommandLine():
        raise DataError("the photo is damaged.")


def ended_by(error: Exception) -> Result:
    """A command that an error ended."""

    @click.command()
    def command() -> None:
        with _SentencesOnTheCommandLine():
            raise error

    return CliRunner().invoke(command)


@pytest.mark.parametrize("error", [DataError("the photo is damaged."), ImageError("the photo is damaged.")])
def test_on_the_command_line_it_is_one_sentence(error: Exception) -> None:
    result = ended_by(error)
    assert result.exit_code == 1
    assert result.output == "Error: the photo is damaged.\n"


def test_an_error_of_a_store_is_one_sentence_too() -> None:
    result = ended_by(OSError(errno.ENOSPC, "No space left on device"))
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert result.output.startswith("Error: The run ended at a file")


def test_an_error_that_is_not_ours_keeps_its_traceback() -> None:
    assert isinstance(ended_by(ZeroDivisionError()).exception, ZeroDivisionError)


def test_only_records_of_our_errors_are_kept_quiet() -> None:
    import logging

    def record(error: Exception) -> logging.LogRecord:
        return logging.LogRecord("zenml", logging.ERROR, "", 0, "Failed to run step `%s`: %s", ("s", error), None)

    assert not _has_no_sentence(record(DataError("x")))
    assert _has_no_sentence(record(ValueError("x")))


def test_a_missing_config_is_named() -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        data_pipeline.with_options(config_path="none.yaml")


def configured(tmp_path: Path, text: str) -> CheckedPipeline:
    path = tmp_path / "data.yaml"
    path.write_text(f"parameters: {{use_case: parts, source: {{kind: folder, path: /photos}}}}\n{text}")
    return data_pipeline.with_options(config_path=str(path))


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ["parts"]),
        ("tags: [parts]", ["parts"]),
        ("tags: [nightly]", ["parts", "nightly"]),
        ("tags: [nightly, parts]", ["nightly", "parts"]),
    ],
)
def test_a_run_is_tagged_with_its_use_case_and_with_what_its_config_names(
    tmp_path: Path, text: str, tags: list[str]
) -> None:
    assert configured(tmp_path, text).configuration.tags == tags


CONFIG = {"parameters": {"use_case": "parts"}}


def test_a_run_is_named_after_its_use_case_unless_its_config_names_it() -> None:
    assert data_pipeline._options(CONFIG)["run_name"] == "parts-data-{date}-{time}"
    assert "run_name" not in data_pipeline._options(CONFIG | {"run_name": "mine {time}"})


def test_a_training_is_tracked_in_the_experiment_of_its_use_case() -> None:
    expected = {"experiment_name": "parts", "tags": {"use_case": "parts"}}
    assert training_pipeline._options(CONFIG)["settings"] == {"experiment_tracker.mlflow": expected}
    assert "settings" not in data_pipeline._options(CONFIG), "nothing of it is tracked"


def test_what_a_config_says_of_tracking_stands() -> None:
    said = {"experiment_tracker.mlflow": {"experiment_name": "trials", "tags": {"batch": "large"}}}
    expected = {"experiment_name": "trials", "tags": {"use_case": "parts", "batch": "large"}}
    assert training_pipeline._options(CONFIG | {"settings": said})["settings"] == {
        "experiment_tracker.mlflow": expected
    }


def test_a_config_that_states_no_use_case_is_of_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bolts").mkdir()
    monkeypatch.chdir(tmp_path / "bolts")
    Path("data.yaml").write_text("parameters: {source: {kind: folder, path: /photos}}")
    pipeline = data_pipeline.with_options(config_path="data.yaml")
    assert pipeline.use_case == "bolts"
    assert pipeline.configuration.tags == ["bolts"]
    assert (pipeline.configuration.parameters or {})["use_case"] == "bolts"


def test_a_stated_use_case_wins(tmp_path: Path) -> None:
    assert configured(tmp_path, "").use_case == "parts"


def test_the_parameters_of_a_config_reach_the_pipeline_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTS", "/photos/of/parts")
    path = tmp_path / "data.yaml"
    path.write_text("parameters: {use_case: parts, source: {kind: folder, path: '${PARTS}'}}")
    pipeline = data_pipeline.with_options(config_path=str(path))
    assert (pipeline.configuration.parameters or {})["source"]["path"] == "/photos/of/parts"
