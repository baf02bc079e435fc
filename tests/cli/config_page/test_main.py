"""`docs/configs.md` is what the models say today."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cli.config_page import main as config_page
from discern.use_cases.config_files import folder_parameters
from orchestration.checked_pipeline import CheckedPipeline
from orchestration.config_check import check_config, complete_config
from pipelines.data import data_pipeline
from pipelines.promotion import promotion_pipeline
from pipelines.training import training_pipeline


def test_the_page_is_up_to_date_and_every_key_has_a_meaning() -> None:
    assert config_page.main(["--check"]) == 0, "run `make docs`"


def test_a_page_that_differs_is_told_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_page, "PAGE", tmp_path / "configs.md")
    assert config_page.main(["--check"]) == 1
    assert config_page.main([]) == 0
    assert config_page.main(["--check"]) == 0
    config_page.PAGE.write_text(config_page.PAGE.read_text() + "x")
    assert config_page.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("pipeline", "example"),
    [
        (data_pipeline, config_page.DATA),
        (training_pipeline, config_page.TRAINING),
        (promotion_pipeline, config_page.PROMOTION),
    ],
)
def test_the_examples_pass(pipeline: CheckedPipeline, example: str) -> None:
    path = Path("configs/parts/example.yaml")
    config = complete_config(yaml.safe_load(example), path, pipeline.entrypoint)
    check_config(config, path, pipeline.entrypoint, pipeline.step_names)


def test_the_page_tells_what_a_folder_says(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "training.yaml").touch()
    assert folder_parameters(folder / "data.yaml").keys() == config_page.OF_THE_FOLDER.keys()
