"""A config is refused before anything runs, with a sentence that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from discern.errors import ConfigError
from orchestration.checked_pipeline import CheckedPipeline
from orchestration.config_check import check_config, read_config
from pipelines.data import data_pipeline
from pipelines.promotion import promotion_pipeline
from pipelines.training import training_pipeline

REPOSITORY = Path(__file__).resolve().parents[2]
PIPELINES = {"data": data_pipeline, "training": training_pipeline, "promotion": promotion_pipeline}
SHIPPED = sorted(REPOSITORY.glob("configs/*/*.yaml"))


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = 1


def toy(use_case: str, part: Part, level: float = 0.5) -> None:
    """A pipeline's function."""


GOOD: dict[str, Any] = {"tags": ["toy"], "parameters": {"use_case": "toy", "part": {"size": 3}}}


def complaint(config: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        check_config(config, Path("toy.yaml"), toy, ["load", "train"])
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("toy.yaml")
    return message


def test_a_good_config_passes() -> None:
    check_config({**GOOD, "steps": {"load": {"enable_cache": False}}}, Path("toy.yaml"), toy, ["load", "train"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"paramters": {}}, "unknown key paramters; did you mean 'parameters'?"),
        ({"steps": {"tarin": {}}}, "unknown key steps.tarin; did you mean 'train'?"),
        ({"steps": {"train": {"enable_cash": True}}}, "did you mean 'enable_cache'?"),
        ({"parameters": {**GOOD["parameters"], "levle": 1}}, "unknown key parameters.levle; did you mean 'level'?"),
        ({"parameters": {**GOOD["parameters"], "level": "high"}}, "parameters.level: does not fit"),
        (
            {"parameters": {"use_case": "toy", "part": {"sise": 3}}},
            "parameters.part.sise: unknown key; did you mean 'size'?",
        ),
        ({"parameters": {"use_case": "toy"}}, "parameters.part is missing"),
        ({"parameters": []}, ""),
        ({"tags": ["other"]}, "tags must name the use case"),
        ({"enable_cache": "sometimes"}, "enable_cache: does not fit"),
    ],
)
def test_what_zenml_would_ignore_is_refused(change: dict[str, Any], expected: str) -> None:
    assert expected in complaint({**GOOD, **change})


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"source": {"kind": "folder", "pth": "/x"}}, "parameters.source.pth: unknown key; did you mean 'path'?"),
        (
            {"source": None, "sources": [{"name": "a", "source": {"kind": "folder", "pth": "/x"}}]},
            "parameters.sources.0.source.pth: unknown key; did you mean 'path'?",
        ),
        (
            {"source": None, "sources": [{"name": "a", "labeled_by": "x"}]},
            "parameters.sources.0.labeled_by: unknown key; did you mean 'labelled_by'?",
        ),
        ({"source": {"kind": "foldr", "path": "/x"}}, "parameters.source: there is no 'foldr'; did you mean 'folder'?"),
        ({"splits": {"validation_shre": 0.2}}, "splits.validation_shre: unknown key; did you mean 'validation_share'?"),
        (
            {"source": {"kind": "table", "path": "/x", "columns": {"time": "t"}}},
            "parameters.source.columns.time: unknown key; known are bottom, box, captured_at, confidence,",
        ),
        (
            {"checks": {"waive": {"label_name": "x"}}},
            "waive.label_name: there is no 'label_name'; did you mean 'label_names'?",
        ),
        ({"splits": {"by": "photo"}}, "parameters.splits.by: there is no 'photo'; did you mean 'photos'?"),
        ({"checks": {"waive": {"leakage": ""}}}, "parameters.checks.waive.leakage: does not fit"),
    ],
)
def test_a_typo_anywhere_is_answered_with_what_is_nearest(parameters: dict[str, Any], expected: str) -> None:
    source = {"source": {"kind": "folder", "path": "/photos"}}
    config = {"tags": ["x"], "parameters": {"use_case": "x", **source, **parameters}}
    with pytest.raises(ConfigError) as caught:
        check_config(config, Path("data.yaml"), data_pipeline.entrypoint, ["ingest"])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("# ${NOT_NEEDED}\nparameters:\n  path: ${PHOTOS}\n")
    with pytest.raises(ConfigError, match=r"needs PHOTOS in the environment"):
        read_config(path, {})
    assert read_config(path, {"PHOTOS": "/photos"}) == {"parameters": {"path": "/photos"}}


@pytest.mark.parametrize(("text", "expected"), [("a: [", "is not YAML"), ("- a", "has no keys"), ("", "has no keys")])
def test_a_file_that_is_no_config(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        read_config(path, {})


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "none.yaml", {})


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_config_passes(path: Path) -> None:
    pipeline: CheckedPipeline = PIPELINES[path.stem.partition("_")[0]]
    environment = dict.fromkeys(("DISCERN_HOME", "GROCERY_PHOTOS", "METAL_TAGS", "OMNIGLOT"), "/photos")
    check_config(read_config(path, environment), path, pipeline.entrypoint, pipeline._known_steps())


@pytest.mark.parametrize("use_case", sorted({path.parent.name for path in SHIPPED}))
def test_a_use_case_has_data_and_one_tag(use_case: str) -> None:
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (REPOSITORY / "configs" / use_case).glob("*.yaml")}
    assert "data" in files
    # Closed sets train for benchmarks alone: without unknowns no release can be calibrated.
    assert "training" in files or "promotion" not in files
    assert {tuple(content["tags"]) for content in files.values()} == {(use_case,)}


def test_the_steps_of_a_pipeline_are_known() -> None:
    assert data_pipeline._known_steps() == ["ingest", "check", "gate"]
    assert training_pipeline._known_steps() == ["check_queries", "teach", "distil", "assemble", "register", "depict"]
