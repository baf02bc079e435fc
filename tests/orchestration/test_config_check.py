"""A config is refused before anything runs, with a sentence that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from discern.errors import ConfigError
from orchestration.checked_pipeline import CheckedPipeline
from orchestration.config_check import check_config, complete_config, read_config
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


GOOD: dict[str, Any] = {"parameters": {"use_case": "toy", "part": {"size": 3}}}


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
        ({"parameters": []}, "parameters must hold keys and values"),
        ({"steps": []}, "steps must hold keys and values"),
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


def test_all_problems_are_told_at_once_each_in_a_sentence_of_its_own() -> None:
    config = {
        "paramters": {},
        "parameters": {"part": {"sise": 3}, "level": "high"},
        "steps": {"tarin": {}, "train": {"enable_cash": True}},
    }
    with pytest.raises(ConfigError) as caught:
        check_config(config, Path("toy.yaml"), toy, ["load", "train"])
    assert str(caught.value).split("\n") == [
        "toy.yaml: unknown key paramters; did you mean 'parameters'?",
        "toy.yaml: parameters.part.sise: unknown key; did you mean 'size'?",
        "toy.yaml: parameters.level: does not fit (Input should be a valid number, "
        "unable to parse string as a number).",
        "toy.yaml: parameters.use_case is missing: docs/configs.md says what it holds.",
        "toy.yaml: unknown key steps.tarin; did you mean 'train'?",
        "toy.yaml: unknown key steps.train.enable_cash; did you mean 'enable_cache'?",
    ]


class Packing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fpir: float
    numeric_format: str = "fp32"


def pack(use_case: str, packaging: Packing) -> None:
    """A pipeline's function whose config was called otherwise."""


def test_a_key_that_was_renamed_is_told_its_new_name_and_what_stands_under_it_is_checked() -> None:
    config = {"parameters": {"use_case": "x", "candidate": {"precision": "int8", "fpri": 0.1}, "gallery": {}}}
    with pytest.raises(ConfigError) as caught:
        check_config(config, Path("x.yaml"), pack, [])
    assert str(caught.value).split("\n") == [
        "x.yaml: parameters.candidate was renamed to 'packaging'.",
        "x.yaml: parameters.gallery is no key any more: delete it, for the release carries the gallery that its "
        "training config names.",
        "x.yaml: parameters.candidate.precision was renamed to 'numeric_format'.",
        "x.yaml: parameters.candidate.fpri: unknown key; did you mean 'fpir'?",
    ]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"splits": {"stranger_share": 0.2}}, "parameters.splits.stranger_share was renamed to 'unknown_share'."),
        (
            {"source": {"kind": "pills", "strangers": 3}},
            "parameters.source.strangers was renamed to 'unknowns'.",
        ),
        (
            {"source": {"kind": "grocery", "path": "/x", "strangers": 3}},
            "parameters.source.strangers was renamed to 'unknowns'.",
        ),
        (
            {"checks": {"waive": {"strangers": "A closed set."}}},
            "parameters.checks.waive.strangers was renamed to 'unknowns'.",
        ),
    ],
)
def test_keys_that_earlier_data_configs_hold_are_told_their_new_names(
    parameters: dict[str, Any], expected: str
) -> None:
    config = {"parameters": {"use_case": "x", "source": {"kind": "folder", "path": "/photos"}, **parameters}}
    with pytest.raises(ConfigError) as caught:
        check_config(config, Path("data.yaml"), data_pipeline.entrypoint, ["ingest"])
    assert str(caught.value) == f"data.yaml: {expected}"


def test_keys_that_earlier_promotion_configs_hold_are_told_their_new_names() -> None:
    config = {"parameters": {"use_case": "x", "gates": {"least_stranger_refusal": 0.5}}}
    with pytest.raises(ConfigError, match=r"gates\.least_stranger_refusal was renamed to 'least_tnir'\.$"):
        check_config(config, Path("promotion.yaml"), promotion_pipeline.entrypoint, [])


def preview(use_case: str, training: str | None = None) -> None:
    """A pipeline's function that takes all that a folder says."""


def test_what_a_config_leaves_out_its_folder_says(tmp_path: Path) -> None:
    path = tmp_path / "parts" / "data.yaml"
    path.parent.mkdir()
    assert complete_config({}, path, preview) == {"parameters": {"use_case": "parts"}}
    (path.parent / "training.yaml").touch()
    said = {"use_case": "parts", "training": str(path.parent / "training.yaml")}
    assert complete_config({"parameters": None, "tags": ["x"]}, path, preview) == {"parameters": said, "tags": ["x"]}
    assert complete_config({}, path, pack) == {"parameters": {"use_case": "parts"}}


def test_what_a_config_says_its_folder_does_not_change(tmp_path: Path) -> None:
    (tmp_path / "training.yaml").touch()
    stated = {"parameters": {"use_case": "other", "training": None}}
    assert complete_config(stated, tmp_path / "data.yaml", preview) == stated
    assert complete_config({"parameters": ["x"]}, tmp_path / "data.yaml", preview) == {"parameters": ["x"]}


def test_a_folder_whose_name_is_no_use_case_is_told_with_what_else_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "My Parts" / "x.yaml"
    config = complete_config({"parameters": {"packging": {}}}, path, pack)
    with pytest.raises(ConfigError) as caught:
        check_config(config, path, pack, [])
    assert str(caught.value).split("\n") == [
        f"{path}: unknown key parameters.packging; did you mean 'packaging'?",
        f"{path}: parameters.use_case is missing, and the folder's name does not do: 'My Parts' is no name for a use "
        "case: take up to 40 small letters, digits, - and _, and begin with a letter or a digit.",
        f"{path}: parameters.packaging is missing: docs/configs.md says what it holds.",
    ]


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
    environment = dict.fromkeys(
        ("DISCERN_HOME", "GROCERY_PHOTOS", "MEDICAL_MNIST", "METAL_TAGS", "OMNIGLOT"), "/photos"
    )
    config = complete_config(read_config(path, environment), path, pipeline.entrypoint)
    check_config(config, path, pipeline.entrypoint, pipeline.step_names)


@pytest.mark.parametrize("use_case", sorted({path.parent.name for path in SHIPPED}))
def test_a_use_case_has_data_and_says_nothing_that_its_folder_says(use_case: str) -> None:
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (REPOSITORY / "configs" / use_case).glob("*.yaml")}
    assert "data" in files
    # Closed sets train for benchmarks alone: without unknowns no release can be calibrated.
    assert "training" in files or "promotion" not in files
    assert not [name for name, content in files.items() if {"use_case", "training"} & content["parameters"].keys()]
    assert not [name for name, content in files.items() if "tags" in content]


TRAINING = {"model": {"backbone": "resnet10t"}, "steps": 1}


@pytest.mark.parametrize(
    ("teacher", "student", "start"),
    [
        ("non", {"model": {"backbone": "x"}}, "teacher: there is no 'non'; did you mean 'none'?"),
        ("none", {"modle": {}}, "student.modle: unknown key; did you mean 'model'"),
        ("none", {"model": {"bakbone": "x"}}, "student.model.bakbone: unknown key; did you mean 'backbone'"),
        (TRAINING | {"steps": 0}, TRAINING, "teacher.steps: does not fit ("),
        (TRAINING | {"stps": 1}, TRAINING, "teacher.stps: unknown key; did you mean 'steps'"),
        (None, TRAINING, "teacher: does not fit ("),
    ],
)
def test_what_is_wrong_with_a_teacher_or_a_student_is_about_the_kind_that_was_meant(
    teacher: Any, student: Any, start: str
) -> None:
    parameters = {"use_case": "x", "image": {"size": 32}, "teacher": teacher, "student": student}
    with pytest.raises(ConfigError) as raised:
        check_config({"parameters": parameters}, Path("t.yaml"), training_pipeline.entrypoint, ())
    assert str(raised.value).startswith(f"t.yaml: parameters.{start}")
    assert "\n" not in str(raised.value)
