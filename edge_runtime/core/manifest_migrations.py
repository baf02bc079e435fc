"""Older manifests, read for ever: pure functions from the JSON of one format to the JSON of the next.

Rules kept:
- the file on the disk is never changed, so a release keeps its id, its hashes and its files;
- a field that its format does not know is refused, as it would be in a manifest of today;
- a figure has one name here: the older names of metrics are in one table.

Formats:
1. one model, described by `preprocessing` and `embedding`;
2. added `calibration` and `represent`;
3. put what a model needs beside its file in `models`, `represent` beside the other enrolment settings in `gallery`, and
   renamed metrics and `lineage.precision`;
4. added `photo_limits`, `decision.least_probability`, `gallery.class_offsets` with the `offset` of a class in the
   catalogue, and `gallery.unknown_classes` (which the last ones of format 3 state too). They are optional, and still a
   format of their own: a device that does not know them would not do what they say, and is told to update;
5. added `enrolment` and `lineage.enrolled_into`, the files of what is enrolled into a release, and the `rows` and the
   `thumbnail` of a class in the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

Json = dict[str, Any]

ADDED_BY_FORMAT_2 = frozenset({"calibration", "represent"})
ADDED_BY_FORMAT_3 = frozenset({"models", "gallery"})
ADDED_BY_FORMAT_4 = frozenset({"photo_limits"})
ADDED_BY_FORMAT_5 = frozenset({"enrolment"})
DECISION_OF_FORMAT_3 = frozenset({"threshold", "margin", "fpir"})
EMBEDDING_OF_FORMAT_2 = frozenset({"dim"})
LINEAGE_OF_FORMAT_2 = frozenset({"dataset_version", "git_commit", "pipeline_run", "mlflow_run", "precision"})
LINEAGE_OF_FORMAT_4 = frozenset({"dataset_version", "git_commit", "pipeline_run", "mlflow_run", "numeric_format"})
MODEL_OF_FORMAT_2 = "model.onnx"
NUMERIC_FORMATS = ("fp32", "fp16", "int8")

# A name may hold one of these in its middle: `validation_detection_rate_low`.
METRIC_ALIASES: Mapping[str, str] = {
    "stranger_refusal": "tnir",
    "stranger_queries": "unknown_queries",
    "detection_rate": "tpir",
}


def current_metric_name(name: str) -> str:
    """Return the name that a metric has today; a name of today stays."""
    for older, current in METRIC_ALIASES.items():
        name = name.replace(older, current)
    return name


def migrate(content: Json) -> Json:
    """Return a manifest of any format up to 5 as one of format 5; what is no older format comes back as it is.

    Raises:
        ValueError: a field does not belong to the format that the manifest states.
    """
    for number, migration in MIGRATIONS.items():
        stated = content.get("format")
        if type(stated) is int and stated == number:
            content = migration(content)
    return content


def from_format_1(content: Json) -> Json:
    """Return a manifest of format 1 as one of format 2, which states neither a calibrator nor a representation.

    Raises:
        ValueError: a field came with format 2.
    """
    _refuse_later_fields(content, 1, ADDED_BY_FORMAT_2)
    return {**content, "format": 2}


def from_format_2(content: Json) -> Json:
    """Return a manifest of format 2 as one of format 3.

    Raises:
        ValueError: a field came with format 3, or holds something else than it did.
    """
    _refuse_later_fields(content, 2, ADDED_BY_FORMAT_3)
    older = dict(content)
    lineage = _lineage(older.pop("lineage", {}))
    embedding = {
        "file": MODEL_OF_FORMAT_2,
        "preprocessing": older.pop("preprocessing", None),
        "numeric_format": _named_format(lineage["numeric_format"]),
        **_fields(older.pop("embedding", {}), "embedding", EMBEDDING_OF_FORMAT_2),
    }
    represent = older.pop("represent", None)
    return {
        **older,
        "format": 3,
        "models": {"embedding": embedding},
        "gallery": None if represent is None else {"represent": represent},
        "metrics": _metrics(older.get("metrics")),
        "lineage": lineage,
    }


def from_format_3(content: Json) -> Json:
    """Return a manifest of format 3 as one of format 4, which states no limits of photos and no least probability.

    Raises:
        ValueError: a field came with format 4.
    """
    _refuse_later_fields(content, 3, ADDED_BY_FORMAT_4)
    _fields(content.get("decision", {}), "decision", DECISION_OF_FORMAT_3)
    return {**content, "format": 4}


def from_format_4(content: Json) -> Json:
    """Return a manifest of format 4 as one of format 5, into which nothing can be enrolled without a training.

    Raises:
        ValueError: a field came with format 5.
    """
    _refuse_later_fields(content, 4, ADDED_BY_FORMAT_5)
    _fields(content.get("lineage", {}), "lineage", LINEAGE_OF_FORMAT_4)
    return {**content, "format": 5}


MIGRATIONS: Mapping[int, Callable[[Json], Json]] = {
    1: from_format_1,
    2: from_format_2,
    3: from_format_3,
    4: from_format_4,
}


def _refuse_later_fields(content: Json, number: int, later: Collection[str]) -> None:
    for name in sorted(later):
        if name in content:
            raise ValueError(f"format {number} has no {name}")


def _fields(value: Any, where: str, allowed: Collection[str]) -> Json:
    """Return the object `value`, none of whose fields is unknown."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object")
    for name in value:
        if name not in allowed:
            raise ValueError(f"{where}.{name} is not a field of its format")
    return value


def _lineage(value: Any) -> Json:
    lineage = dict(_fields(value, "lineage", LINEAGE_OF_FORMAT_2))
    lineage["numeric_format"] = lineage.pop("precision", None)
    return lineage


def _named_format(reason: Any) -> str | None:
    """Return the numeric format that the reason begins with; None where it begins with something else."""
    first = reason.partition(":")[0] if isinstance(reason, str) else None
    return first if first in NUMERIC_FORMATS else None


def _metrics(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    metrics: Json = {}
    for name, figure in value.items():
        current = current_metric_name(name)
        if current in metrics:
            raise ValueError(f"metrics.{current} is stated twice, under an older and a newer name")
        metrics[current] = figure
    return metrics
