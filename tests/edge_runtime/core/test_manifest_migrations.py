from __future__ import annotations

import json
from typing import Any

import pytest

from edge_runtime.core.manifest import ReleaseManifest, parse_manifest
from edge_runtime.core.manifest_migrations import (
    MIGRATIONS,
    current_metric_name,
    from_format_1,
    from_format_2,
    from_format_3,
    from_format_4,
    migrate,
)
from edge_runtime.errors import ReleaseError
from tests.edge_runtime.toy_release import OLDER_RELEASES


def written(number: int) -> dict[str, Any]:
    """The manifest of the toy release as it was written in that format."""
    content: dict[str, Any] = json.loads((OLDER_RELEASES / f"format_{number}.json").read_bytes())
    return content


def read(content: dict[str, Any]) -> ReleaseManifest:
    return parse_manifest(json.dumps(content).encode(), "here")


@pytest.mark.parametrize("number", [1, 2])
def test_every_format_that_was_written_is_read(number: int) -> None:
    content = written(number)
    assert content["format"] == number
    manifest = read(content)
    assert manifest.models.embedding.preprocessing.model_dump() == content["preprocessing"]
    assert manifest.models.embedding.dim == content["embedding"]["dim"]
    assert manifest.models.embedding.file == "model.onnx"
    assert manifest.models.localiser is None
    for field in ("files", "index", "counts", "name"):
        assert manifest.model_dump()[field] == content[field]
    assert manifest.decision.model_dump() == {**content["decision"], "least_probability": 0.0}
    assert manifest.photo_limits is None


def test_format_3_is_read_as_it_was_written() -> None:
    content = written(3)
    assert content["format"] == 3
    manifest = read(content).model_dump(mode="json", exclude={"format", "created"})
    assert manifest.pop("enrolment") is None
    assert manifest["lineage"].pop("enrolled_into") is None
    assert manifest.pop("photo_limits") is None
    assert manifest["decision"].pop("least_probability") == 0.0
    assert manifest["models"].pop("localiser") is None
    assert manifest["gallery"].pop("unknown_classes") is False
    assert manifest["gallery"].pop("class_offsets") is False
    assert manifest == {name: value for name, value in content.items() if name not in {"format", "created"}}


def test_format_4_is_read_as_it_was_written() -> None:
    content = written(4)
    assert content["format"] == 4
    manifest = read(content).model_dump(mode="json", exclude={"format", "created"})
    assert manifest.pop("enrolment") is None
    assert manifest["lineage"].pop("enrolled_into") is None
    assert manifest["models"].pop("localiser") is None
    assert manifest == {name: value for name, value in content.items() if name not in {"format", "created"}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"enrolment": None}, "format 4 has no enrolment"),
        ({"lineage": {"enrolled_into": "0123456789abcdef"}}, r"lineage\.enrolled_into is not a field"),
    ],
)
def test_a_field_of_format_5_does_not_stand_in_an_older_one(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ReleaseError, match=says):
        read({**written(4), **changes})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"photo_limits": None}, "format 3 has no photo_limits"),
        ({"decision": {"threshold": 0.9, "margin": 0.0, "fpir": 0.1, "least_probability": 0.5}}, "least_probability"),
        ({"decision": 1}, "decision is not an object"),
    ],
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_field_of_format_4_does_not_stand_in_an_older_one(number: int, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ReleaseError, match=says):
        read({**written(number), **changes})


def test_format_1_states_neither_a_probability_nor_a_representation() -> None:
    manifest = read(written(1))
    assert manifest.calibration is None
    assert manifest.gallery is None
    assert manifest.represent is None
    assert manifest.models.embedding.numeric_format is None


def test_format_2_states_the_representation_and_no_other_enrolment_setting() -> None:
    manifest = read(written(2))
    assert manifest.calibration is not None
    assert manifest.gallery is not None
    assert manifest.represent == "exemplars"
    assert manifest.gallery.photos_per_class is None
    assert manifest.gallery.splits is None
    assert read({**written(2), "represent": None}).gallery is None


def test_older_metrics_have_the_names_of_today() -> None:
    older = written(2)["metrics"]
    metrics = read(written(2)).metrics
    assert len(metrics) == len(older)
    assert metrics["tnir"] == older["stranger_refusal"]
    assert metrics["tpir"] == older["detection_rate"]
    assert metrics["unseen_tpir"] == older["unseen_detection_rate"]
    assert metrics["unknown_queries"] == older["stranger_queries"]
    assert metrics["auroc"] == older["auroc"]
    for ending in ("", "_low", "_high", "_queries", "_prototype"):
        assert metrics[f"validation_tpir{ending}"] == older[f"validation_detection_rate{ending}"]
    assert not [name for name in metrics if "stranger" in name or "detection" in name]
    assert current_metric_name("validation_tpir_low") == "validation_tpir_low"


def test_the_reason_for_the_numeric_format_keeps_its_words_and_names_the_format() -> None:
    manifest = read(written(2))
    assert manifest.lineage.numeric_format == written(2)["lineage"]["precision"]
    assert manifest.models.embedding.numeric_format == "fp32"
    unsaid = written(2)
    unsaid["lineage"]["precision"] = "as it came"
    assert read(unsaid).models.embedding.numeric_format is None


@pytest.mark.parametrize(("field", "value"), [("calibration", None), ("represent", "exemplars")])
def test_a_field_of_format_2_does_not_stand_in_format_1(field: str, value: object) -> None:
    with pytest.raises(ReleaseError, match=f"format 1 has no {field}"):
        read({**written(1), field: value})


@pytest.mark.parametrize(("field", "value"), [("models", {}), ("gallery", None)])
@pytest.mark.parametrize("number", [1, 2])
def test_a_field_of_format_3_does_not_stand_in_an_older_one(number: int, field: str, value: object) -> None:
    with pytest.raises(ReleaseError, match=f"format 2 has no {field}"):
        read({**written(number), field: value})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"surprise": 1}, "surprise"),
        ({"preprocessing": None}, "preprocessing"),
        ({"preprocessing": {"size": 16, "fit": "crop"}}, r"preprocessing\.fit"),
        ({"embedding": 8}, "embedding is not an object"),
        ({"embedding": {"dim": 8, "file": "other.onnx"}}, r"embedding\.file is not a field"),
        ({"lineage": {"numeric_format": "fp32"}}, r"lineage\.numeric_format is not a field"),
        ({"represent": "auto"}, r"gallery\.represent"),
        ({"metrics": {"detection_rate": 0.5, "tpir": 0.5}}, r"metrics\.tpir is stated twice"),
        ({"metrics": []}, "metrics"),
        ({"files": {}}, "does not list catalogue"),
    ],
)
def test_an_older_manifest_is_read_as_strictly_as_a_new_one(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ReleaseError, match=says) as caught:
        read({**written(2), **changes})
    assert "\n" not in str(caught.value)


def test_migrations_go_step_by_step_and_change_nothing_that_they_are_given() -> None:
    first = written(1)
    before = json.dumps(first)
    assert migrate(first) == from_format_4(from_format_3(from_format_2(from_format_1(first))))
    assert json.dumps(first) == before
    assert list(MIGRATIONS) == [1, 2, 3, 4]
    assert migrate({"format": 5, "name": "as it is"}) == {"format": 5, "name": "as it is"}
