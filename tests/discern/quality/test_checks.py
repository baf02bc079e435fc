from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageFilter
from pydantic import ValidationError

from discern.datasets.appearance import LENGTH
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.config import SplitConfig
from discern.errors import DataError, GateError
from discern.quality.checks import (
    CheckConfig,
    Checked,
    CheckReport,
    Condition,
    Photos,
    PhotoSets,
    Plot,
    check_version,
    rows,
)
from discern.sources.base import Photo, Split
from discern.sources.pills import PillsConfig, PillSource
from edge_runtime.core.images import decode, encode_png
from tests.discern.pictures import jpeg, photos


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    return write_version(photos(12, 9), str(tmp_path_factory.mktemp("shards")))[0]


@pytest.fixture(scope="module")
def checked(version: DatasetVersion) -> Checked:
    return check_version(version, CheckConfig(min_side=24))


def conditions(report: CheckReport, check: str) -> list[Condition]:
    found = [one for one in report.conditions if one.check == check]
    assert found, f"{check} did not run"
    return found


def verdicts(report: CheckReport, check: str) -> list[bool]:
    return [condition.passed for condition in conditions(report, check)]


def replaced(version: DatasetVersion, **columns: Sequence[str | None]) -> DatasetVersion:
    table = version.table
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values, pa.string()))
    return DatasetVersion(table, version.shards)


def both_sides(version: DatasetVersion) -> tuple[int, int]:
    """A query and a gallery photo of one class."""
    labels, roles, splits = (version.column(name) for name in ("label", "role", "split"))
    known = next(i for i, role in enumerate(roles) if role == "gallery" and splits[i] == "test")
    asked = next(i for i, role in enumerate(roles) if role == "query" and labels[i] == labels[known])
    return asked, known


def test_a_sound_version_passes(version: DatasetVersion, checked: Checked) -> None:
    report = checked.report
    assert report.passed
    assert report.version == version.id
    assert report.failures == ()
    report.require()
    assert {one.check for one in report.conditions} == {
        "left_out",
        "broken_photos",
        "class_counts",
        "label_names",
        "label_conflicts",
        "duplicates",
        "leakage",
        "queries",
        "unknowns",
        "new_labels",
        "image_size",
        "dark_images",
        "blurred_images",
        "property_outliers",
        "property_drift",  # label drift has nothing to say where test holds new classes
    }


def test_the_report_is_plain_data(checked: Checked) -> None:
    assert CheckReport.model_validate_json(checked.report.model_dump_json()) == checked.report


def test_plots_are_small_and_photos_are_rows(version: DatasetVersion, checked: Checked) -> None:
    plots = [figure for figure in checked.figures if isinstance(figure, Plot)]
    assert len(plots) == 14  # 7 properties, validation and test
    assert all(json.loads(plot.spec)["data"] and len(plot.spec) < 20_000 for plot in plots)
    rows = [row for figure in checked.figures if isinstance(figure, Photos) for row in figure.rows]
    assert all(0 <= row < len(version) for row in rows)


def test_outliers_are_the_photos_that_stand_out(tmp_path: Path) -> None:
    """Deepchecks names other photos when it is given several batches; ours are many enough for that to show."""
    nights = [np.random.default_rng(i).integers(0, 1 + 2 * i, (24, 24, 3)).astype(np.uint8) for i in range(12)]
    dark = [Photo(f"c{i:02d}/dark.png", f"c{i:02d}", encode_png(nights[i])) for i in range(3, 12)]
    version, _ = write_version([*photos(12, 12), *dark], str(tmp_path))
    figures = check_version(version, CheckConfig(min_side=24)).figures
    brightness = next(one for one in figures if isinstance(one, Photos) and one.title.startswith("Brightness"))
    names = [version.column("source")[row] for row in brightness.rows]
    assert names == [photo.name for photo in dark][: len(names)]  # the darkest first
    assert len(names) >= 5


def test_too_many_outliers_fail(version: DatasetVersion) -> None:
    report = check_version(version, CheckConfig(min_side=24, max_outlier_share=0)).report
    assert verdicts(report, "property_outliers") == [False]
    assert not report.passed


def test_small_photos_fail(version: DatasetVersion) -> None:
    report = check_version(version, CheckConfig()).report
    assert verdicts(report, "image_size") == [False]
    told = r"fails 1 of 26 conditions: image_size \(no photo has .*: 108 of 108 photos; .*\): mend the data, "
    with pytest.raises(GateError, match=told):
        report.require()


def test_all_that_failed_is_told_at_once(version: DatasetVersion) -> None:
    broken = [Rejected(f"c00/{i}.heic", f"c00/{i}.heic is no picture.") for i in range(15)]
    report = check_version(version, CheckConfig(min_photos_per_class=100), broken, max_broken_share=0.01).report
    with pytest.raises(GateError) as caught:
        report.require()
    message = str(caught.value)
    assert "fails 3 of 26 conditions" in message
    assert "\n" not in message
    assert "class_counts (every class has at least 100 photos: " in message
    assert "image_size (no photo has " in message
    named = ", ".join(f"c00/{i}.heic" for i in range(12))
    assert (
        "broken_photos (at most 1.0% of the photos cannot be used (cleaning.max_rejected_share): "
        f"15 broken (cannot be used): {named} and 3 more; c00/0.heic is no picture), " in message
    )
    assert "checks.waive" in message


def test_photos_of_validation_and_test_with_a_twin_in_training_are_counted(version: DatasetVersion) -> None:
    """Of another class as well: the model sees the picture anyway."""
    splits = version.column("split")
    train, asked, other = splits.index("train"), splits.index("validation"), splits.index("test")
    sets: list[str | None] = [None] * len(version)
    sets[train] = sets[asked] = "one"
    sets[other] = "two"
    found = check_version(replaced(version, near_duplicates=sets), CheckConfig(min_side=24))
    twins = {one.condition: one for one in found.report.conditions if "twin" in one.condition}
    total = splits.count("validation")
    assert twins["no validation photo has a twin in training"].detail == f"1 of {total} photos"
    assert twins["no test photo has a twin in training"].passed
    assert PhotoSets("leakage", "1 validation photo with a twin in training", ((asked, train),)) in found.figures


def test_a_wrong_label_that_is_no_copy_is_shown_and_stops_nothing(version: DatasetVersion) -> None:
    labels = version.column("label")
    draws = np.random.default_rng(0)
    looks = draws.integers(0, 20, (len(version), LENGTH))
    looks[range(len(version)), [int(label[1:]) for label in labels]] = 250  # each class its own colour
    row = labels.index("c05")
    labels[row] = "c01"
    place = version.table.schema.get_field_index("appearance")
    column = pa.array([bytes(one.tolist()) for one in looks], pa.binary())
    seen = DatasetVersion(version.table.set_column(place, "appearance", column), version.shards)
    found = check_version(replaced(seen, label=labels), CheckConfig(min_side=24))
    assert not any(one.check in {"other_class", "class_outliers"} for one in found.report.conditions)
    (shown,) = [one for one in found.figures if isinstance(one, PhotoSets) and one.check == "other_class"]
    assert shown.sets[0][0] == row
    assert labels[shown.sets[0][1]] == "c05"


def test_a_version_without_appearances_has_no_suspects(version: DatasetVersion) -> None:
    place = version.table.schema.get_field_index("appearance")
    field = version.table.schema.field("appearance")
    nothing = pa.nulls(len(version), field.type)
    old = DatasetVersion(version.table.set_column(place, field, nothing), version.shards)
    found = check_version(old, CheckConfig(min_side=24))
    assert not any(one.check in {"other_class", "class_outliers"} for one in found.figures)


def test_a_waiver_is_kept_with_its_reason(version: DatasetVersion) -> None:
    reason = "the sensor has 24 pixels"
    report = check_version(version, CheckConfig(waive={"image_size": reason, "leakage": "never used"})).report
    assert report.passed
    report.require()
    waived = [one for one in report.conditions if one.waived is not None]
    assert [(one.check, one.passed, one.waived) for one in waived] == [("image_size", False, reason)]


def test_darker_test_photos_fail(tmp_path: Path) -> None:
    """The same classes, photographed at night: drift that no choice of classes explains."""

    def taken(split: Split, light: float) -> list[Photo]:
        found = []
        for photo in photos(10, 8):
            pixels = decode(photo.load()) * light + (split == "test")
            data = encode_png(pixels.clip(0, 255).astype(np.uint8))
            found.append(dataclasses.replace(photo, name=f"{split}/{photo.name}", data=data, split=split))
        return found

    version, _ = write_version([*taken("train", 1.0), *taken("test", 0.4)], str(tmp_path))
    report = check_version(version, CheckConfig(min_side=24)).report
    assert verdicts(report, "property_drift") == [False]
    assert verdicts(report, "label_drift") == [True]
    failed = next(one for one in report.conditions if one.check == "property_drift")
    assert failed.condition == "train to test: the drift score of every property is below 0.3"


def test_labels_that_differ_by_case_fail(version: DatasetVersion) -> None:
    labels = ["C01 " if i == 0 else label for i, label in enumerate(version.column("label"))]
    report = check_version(replaced(version, label=labels), CheckConfig(min_side=24)).report
    assert verdicts(report, "label_names") == [False]
    assert verdicts(report, "class_counts") == [False]  # 'C01 ' has one photo


def test_a_picture_on_both_sides_is_a_leak(version: DatasetVersion) -> None:
    hashes, (asked, known) = version.column("sha256"), both_sides(version)
    hashes[asked] = hashes[known]
    found = check_version(replaced(version, sha256=hashes), CheckConfig(min_side=24))
    report = found.report
    pair = tuple(sorted((asked, known)))
    assert PhotoSets("leakage", "1 image on both sides of a split", (pair,)) in found.figures
    assert version.column("source")[asked] in report.failures[0].detail
    assert verdicts(report, "leakage") == [True, False, True, True, True, True, True]


def test_a_group_on_both_sides_is_a_leak(version: DatasetVersion) -> None:
    report = check_version(replaced(version, group=["tray"] * len(version)), CheckConfig(min_side=24)).report
    assert verdicts(report, "leakage") == [True, True, False, True, True, True, True]


@pytest.mark.parametrize(("column", "place"), [("near_duplicates", 3), ("session", 4)])
def test_a_leaky_official_split_is_reported(version: DatasetVersion, column: str, place: int) -> None:
    values: list[str | None] = [None] * len(version)
    for row in both_sides(version):
        values[row] = "shared"
    found = verdicts(check_version(replaced(version, **{column: values}), CheckConfig(min_side=24)).report, "leakage")
    assert found == [i != place for i in range(7)]


def test_one_tray_of_two_classes_is_no_leak(version: DatasetVersion) -> None:
    """What two classes share tells nothing of either."""
    groups: list[str | None] = [None] * len(version)
    groups[version.column("role").index("query")] = "tray"
    groups[version.column("split").index("train")] = "tray"
    assert all(verdicts(check_version(replaced(version, group=groups), CheckConfig(min_side=24)).report, "leakage"))


def test_a_split_that_asks_nothing_fails(version: DatasetVersion) -> None:
    report = check_version(version.select("train"), CheckConfig(min_side=24)).report
    assert verdicts(report, "queries") == [True, False, False]
    assert "add photos taken at another time" in conditions(report, "queries")[1].detail
    assert verdicts(report, "unknowns") == [False, False]
    assert not report.passed


def test_a_split_without_unknowns_is_told(version: DatasetVersion) -> None:
    enrolled = {label for split in ("validation", "test") for label in version.select(split, "gallery").labels}
    closed = version.select(labels=enrolled | set(version.select("train").labels))
    report = check_version(closed, CheckConfig(min_side=24)).report
    assert verdicts(report, "unknowns") == [True, True]
    assert "each in turn is asked as if it were not" in conditions(report, "unknowns")[0].detail
    assert verdicts(report, "queries") == [True, True, True]


def test_a_closed_set_names_classes_that_are_too_few_to_be_asked(version: DatasetVersion) -> None:
    names = {"train": "train", "validation": "query", "test": "query"}
    splits = [("train", "validation", "test")[i % 3] for i in range(len(version))]
    small = version.labels[0]
    splits = [
        "train" if label == small else split for label, split in zip(version.column("label"), splits, strict=True)
    ]
    by_photos = replaced(version, split=splits, role=["gallery" if s == "train" else names[s] for s in splits])
    report = check_version(by_photos, CheckConfig(min_side=24)).report
    found = conditions(report, "queries")
    assert [condition.passed for condition in found] == [True, True, True]
    assert all(f"nothing of {small} is asked: a class needs 3 photos" in condition.detail for condition in found[1:])


def test_labels_that_nobody_knows_fail(version: DatasetVersion) -> None:
    """As when the labels of the test photos are spelled in another way."""
    labels = [
        f"{label} " if role == "query" else label
        for label, role in zip(version.column("label"), version.column("role"), strict=True)
    ]
    report = check_version(replaced(version, label=labels), CheckConfig(min_side=24)).report
    assert verdicts(report, "new_labels") == [False, False]


def test_a_conflict_stops_the_run_and_is_named(version: DatasetVersion) -> None:
    reason = "a.jpg ('a') and b.jpg ('b') are one picture."
    rejected = [Rejected("a.jpg", reason, "conflict", "a"), Rejected("b.jpg", reason, "conflict", "b")]
    report = check_version(version, CheckConfig(min_side=24), rejected).report
    assert verdicts(report, "label_conflicts") == [False]
    assert report.failures[0].detail == "2 photos are held back, first a.jpg ('a') and b.jpg ('b')"
    assert all(verdicts(check_version(version, CheckConfig(), [Rejected("x", "y.")]).report, "label_conflicts"))


def test_too_much_that_is_left_out_fails(version: DatasetVersion) -> None:
    rejected = [Rejected(f"{i}.jpg", "it has no label.", "unlabelled") for i in range(30)]
    report = check_version(version, CheckConfig(min_side=24), rejected).report
    assert verdicts(report, "left_out") == [False]
    assert report.failures[0].detail == "30 of 138 photos"


def test_a_picture_that_the_source_has_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    given = [dataclasses.replace(photo, split="test" if i % 9 else "train") for i, photo in enumerate(photos(12, 9))]
    copy = dataclasses.replace(given[3], name="a/first.jpg", split="train")
    version, rejected = write_version([*given, copy], str(tmp_path))
    assert [(one.name, one.kind) for one in rejected] == [(given[3].name, "leak")]
    report = check_version(version, CheckConfig(min_side=24), rejected).report
    assert verdicts(report, "leakage") == [False, True, True, True, True, True, True]


def test_near_duplicates_in_validation_and_test_are_a_leak(version: DatasetVersion) -> None:
    labels = ["c00"] * len(version)
    sets: list[str | None] = [None] * len(version)
    for split in ("validation", "test"):
        sets[version.column("split").index(split)] = "one"
    found = check_version(replaced(version, label=labels, near_duplicates=sets), CheckConfig(min_side=24))
    assert verdicts(found.report, "leakage") == [True, True, True, False, True, True, True]


def test_drift_that_few_classes_cannot_tell_from_chance_is_no_plain_success(
    version: DatasetVersion, checked: Checked
) -> None:
    assert not any(one.too_few for one in checked.report.conditions)
    report = check_version(version, CheckConfig(min_side=24, max_property_drift=0.01)).report
    drift = [one for one in report.conditions if one.check == "property_drift"]
    assert [one.too_few for one in drift] == [True, True]
    assert all(one.passed and "too few classes to tell: by chance it may reach" in one.detail for one in drift)


def test_a_sideways_photo_is_no_outlier_and_a_strip_is(tmp_path: Path) -> None:
    def taken(name: str, height: int, width: int) -> Photo:
        pixels = np.random.default_rng(len(name)).integers(0, 255, (height, width, 3)).astype(np.uint8)
        return Photo(f"c00/{name}.png", "c00", encode_png(pixels))

    sideways = [taken("upright" + "x" * i, 48, 32) for i in range(8)]
    given = [*photos(12, 6), *sideways, taken("strip", 32, 160)]
    version, _ = write_version(given, str(tmp_path))
    figures = check_version(version, CheckConfig(min_side=24)).figures
    shown = [one for one in figures if isinstance(one, Photos) and one.title.startswith("Elongation")]
    assert [version.column("source")[row] for one in shown for row in one.rows] == ["c00/strip.png"]
    assert shown[0].title == "Elongation: 1 photo away from 2"


def test_drift_of_few_classes_can_fail(tmp_path: Path) -> None:
    """Chance would grant three classes against three more than a score can be."""
    splits: dict[str, Split] = {"c00": "train", "c01": "train", "c02": "train"}
    given = []
    for photo in photos(6, 9):
        split = splits.get(str(photo.label), "test")
        pixels = decode(photo.load()) * (1.0 if split == "train" else 0.3)
        data = encode_png(pixels.astype(np.uint8))
        given.append(dataclasses.replace(photo, data=data, split=split))
    version, _ = write_version(given, str(tmp_path))
    assert verdicts(check_version(version, CheckConfig(min_side=24)).report, "property_drift") == [False]


@pytest.mark.parametrize("twin", ["C01", "c01 ", "c01\u200b", "\uff43\uff10\uff11"])
def test_labels_that_look_the_same_fail(version: DatasetVersion, twin: str) -> None:
    labels = [twin if i == 0 else label for i, label in enumerate(version.column("label"))]
    report = check_version(replaced(version, label=labels), CheckConfig(min_side=24)).report
    assert verdicts(report, "label_names") == [False]


def test_too_many_repeats_fail_and_are_shown(version: DatasetVersion) -> None:
    sets: list[str | None] = [f"set {row // 3}" if row < 60 else None for row in range(len(version))]
    found = check_version(replaced(version, near_duplicates=sets), CheckConfig(min_side=24))
    assert verdicts(found.report, "duplicates") == [False]
    condition = next(one for one in found.report.conditions if one.check == "duplicates")
    assert condition.detail == "40 of 108 pictures, in 20 sets"
    shown = next(one for one in found.figures if isinstance(one, PhotoSets) and one.check == "duplicates")
    assert shown.title == "20 sets of pictures that nearly repeat each other"
    assert shown.sets == tuple((row, row + 1, row + 2) for row in range(0, 60, 3))


def test_one_set_of_repeats_is_no_plural_and_sets_beyond_the_limit_are_counted(version: DatasetVersion) -> None:
    sets: list[str | None] = ["set" if row < 2 else None for row in range(len(version))]
    report = check_version(replaced(version, near_duplicates=sets), CheckConfig(min_side=24)).report
    assert next(one.detail for one in report.conditions if one.check == "duplicates") == "1 of 108 pictures, in 1 set"
    found = rows._sets("duplicates", "pairs", [(0, 1)] * 100)
    assert (len(found.sets), found.hidden) == (60, 40)


def test_lookalikes_are_shown_and_stop_nothing(version: DatasetVersion) -> None:
    names = version.column("source")
    alike = [names[50] if i == 7 else names[7] if i == 50 else None for i in range(len(names))]
    found = check_version(replaced(version, lookalike=alike), CheckConfig(min_side=24))
    assert found.report.passed
    shown = next(one for one in found.figures if isinstance(one, PhotoSets) and one.check == "label_conflicts")
    assert shown.sets == ((7, 50),)


def test_dark_and_blurred_photos_fail_and_the_worst_come_first(tmp_path: Path) -> None:
    def spoiled(photo: Photo, kind: str) -> Photo:
        image = Image.fromarray(decode(photo.load()))
        image = image.point(lambda v: v / 40) if kind == "dark" else image.filter(ImageFilter.GaussianBlur(6))
        return dataclasses.replace(photo, name=f"{photo.label}/{kind}.png", data=encode_png(np.asarray(image)))

    pills = PillsConfig(families=12, siblings=1, photos_per_class=9, size=96, seed=1)
    given = list(PillSource(pills, workers=1).photos())
    good = [given[2], given[40]]
    given += [spoiled(photo, kind) for photo in good for kind in ("dark", "blurred")]
    version, _ = write_version(given, str(tmp_path))
    found = check_version(version, CheckConfig(max_dark_share=0.01, max_blurred_share=0.01))
    for check, kind in (("dark_images", "dark"), ("blurred_images", "blurred")):
        assert verdicts(found.report, check) == [False]
        shown = next(one for one in found.figures if isinstance(one, Photos) and one.check == check)
        assert {version.column("source")[row] for row in shown.rows} == {f"{photo.label}/{kind}.png" for photo in good}
    assert all(verdicts(found.report, "image_size"))


def test_a_small_box_is_a_small_photo(version: DatasetVersion) -> None:
    place = version.table.schema.get_field_index("box")
    boxes = [[2.0, 2.0, 14.0, 22.0]] + [None] * (len(version) - 1)
    field = version.table.schema.field("box")
    small = dataclasses.replace(version, table=version.table.set_column(place, field, pa.array(boxes, field.type)))
    found = check_version(small, CheckConfig(min_side=24))
    assert verdicts(found.report, "image_size") == [False]
    assert Photos("image_size", "1 photo with a side below 24 px", (0,)) in found.figures


def test_too_few_photos_to_measure_do_not_pass(version: DatasetVersion) -> None:
    few = version.take([version.column("split").index(split) for split in ("train", "validation", "test")])
    report = check_version(few, CheckConfig(min_side=24)).report
    assert not any(verdicts(report, "property_outliers"))
    assert any("not measured" in one.detail for one in report.failures)


@pytest.mark.parametrize(("classes", "photos_per_class"), [(1, 12), (3, 5), (6, 4)])
def test_drift_of_so_few_photos_that_chance_explains_it_is_no_failure(
    tmp_path: Path, classes: int, photos_per_class: int
) -> None:
    pills = PillsConfig(families=classes, siblings=1, photos_per_class=photos_per_class, size=96, seed=3)
    given = [dataclasses.replace(photo, split=None, role=None) for photo in PillSource(pills, workers=1).photos()]
    version, _ = write_version(given, str(tmp_path), splits=SplitConfig(by="photos"))
    report = check_version(version).report
    assert not report.failures
    assert any(one.too_few for one in report.conditions if one.check == "property_drift")


def test_an_empty_version_is_one_sentence(version: DatasetVersion) -> None:
    with pytest.raises(DataError, match="has no photos"):
        check_version(version.take([]))


def test_nothing_goes_out(version: DatasetVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a check wanted the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    check_version(version, CheckConfig(min_side=24))
    from deepchecks.analytics import anonymous_telemetry

    assert anonymous_telemetry.ANALYTICS_DISABLED


@pytest.mark.parametrize(
    "values",
    [
        {"waive": {"colour": "x"}},
        {"waive": {"leakage": " "}},
        {"max_drift": 1},
        {"max_outlier_share": 2},
        {"samples_per_split": 1},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CheckConfig.model_validate(values)


def test_a_failure_without_a_waiver_decides() -> None:
    met = Condition(check="leakage", condition="c", passed=True, detail="d")
    failed = Condition(check="queries", condition="c", passed=False, detail="d")
    assert CheckReport(version="v", conditions=(met, failed), passed=False).failures == (failed,)


@pytest.fixture(scope="module")
def with_negatives(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    more = [Photo("belt/1.jpg", None, jpeg(70), split="train", empty=True), Photo("new.jpg", None, jpeg(71))]
    keep = CleaningConfig(unlabelled="keep")
    return write_version([*photos(12, 9), *more], str(tmp_path_factory.mktemp("shards")), cleaning=keep)[0]


def test_images_without_an_instance_change_no_verdict_about_instances(
    version: DatasetVersion, checked: Checked, with_negatives: DatasetVersion
) -> None:
    report = check_version(with_negatives, CheckConfig(min_side=24)).report
    assert report.passed
    added = [one for one in report.conditions if one.condition == "no empty image is nearly a picture of another split"]
    assert [one.detail for one in added] == ["none of 1 is"]
    verdicts = [(one.condition, one.passed) for one in report.conditions if one not in added]
    assert verdicts == [(one.condition, one.passed) for one in checked.report.conditions]


def test_images_without_an_instance_count_as_photos_that_are_not_left_out(with_negatives: DatasetVersion) -> None:
    left_out = [Rejected(f"{number}.jpg", "is empty.") for number in range(10)]
    report = check_version(with_negatives, CheckConfig(min_side=24), left_out).report
    assert next(one.detail for one in report.conditions if one.check == "left_out") == "10 of 120 photos"


def test_an_empty_image_that_is_nearly_a_picture_of_another_split_leaks(with_negatives: DatasetVersion) -> None:
    tested = with_negatives.column("split").index("test")
    table = with_negatives.all_rows().table
    names: list[str | None] = [None] * table.num_rows
    names[tested] = names[len(with_negatives)] = "set"  # the first row after the instances is the empty image
    place = table.schema.get_field_index("near_duplicates")
    table = table.set_column(place, table.schema.field(place), pa.array(names, pa.string()))
    report = check_version(DatasetVersion.of_rows(table, with_negatives.shards), CheckConfig(min_side=24)).report
    assert [one.detail for one in report.failures] == ["1 is, first belt/1.jpg"]
