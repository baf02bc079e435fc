"""Manifests of every format ever written: each opens, keeps its id, and is good for all that a version is good for.

`fixtures/format_N.json` holds one tiny version of each, written by the software of then. When a new format is made, the
software of before writes one more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from discern.datasets.export import restore
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import COLUMNS, DatasetVersion, load_manifest, save_manifest
from discern.datasets.manifest_formats import NEWEST, StoredManifest, from_1_to_2, from_2_to_3
from discern.datasets.splits.assign import SplitConfig
from discern.errors import DataError
from discern.sources.base import Photo
from discern.sources.table.source import TableConfig, TableSource
from tests.discern.datasets.manifests import FIXTURES, fixture, fixture_table, plant_fixture
from tests.discern.pictures import jpeg
from tests.discern.sources.layouts import sentence

OLDER = [int(path.stem.removeprefix("format_")) for path in sorted(FIXTURES.glob("format_*.json"))]


@pytest.fixture(params=OLDER)
def format_number(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def old(format_number: int, tmp_path: Path) -> DatasetVersion:
    return load_manifest(plant_fixture(format_number, tmp_path / "old"))


def photos_of(version: DatasetVersion) -> list[Photo]:
    """The photos that the version was made of, as their source would yield them again."""
    return [
        Photo(
            name=row["source"].removeprefix("mine/"),
            label=row["label"],
            data=version.image_bytes(i),
            box=None if row["box"] is None else tuple(row["box"]),
            group=row["group"],
            captured_at=row["captured_at"],
            margin=row["margin"],
        )
        for i, row in enumerate(version.table.to_pylist())
    ]


def assignments(version: DatasetVersion) -> list[tuple[Any, ...]]:
    columns = (version.column(name) for name in ("sha256", "box", "label", "split", "role"))
    return sorted(((sha, box or [], *rest) for sha, box, *rest in zip(*columns, strict=True)), key=repr)


def test_a_fixture_stands_for_every_format_before_the_newest() -> None:
    assert list(range(1, NEWEST)) == OLDER


def test_a_version_of_an_older_format_opens_with_its_id_and_all_that_it_says(
    format_number: int, old: DatasetVersion
) -> None:
    stored = fixture(format_number)
    table = fixture_table(stored)
    assert old.id == stored["id"]
    assert old.table.column_names == list(COLUMNS)
    for name in table.column_names:
        assert old.column(name) == table[name].to_pylist(), name
    assert len(old.negatives()) == len(old.unlabelled()) == 0
    assert set(old.column("label_method")) == {"import"}


def test_a_version_of_an_older_format_is_ready_to_train_on(old: DatasetVersion) -> None:
    train = old.select("train", "gallery")
    assert train.labels
    assert train.pixels(0).shape == (8, 8, 3)
    scene = next(image for image in old.images() if len(image.instances) == 2)
    assert old.image_pixels(scene.number).shape == (12, 12, 3)
    assert len(old.images()) == 28
    old.fetch()


def test_a_version_of_an_older_format_keeps_its_id_when_it_is_written_anew(old: DatasetVersion, tmp_path: Path) -> None:
    save_manifest(old, tmp_path / "new.parquet")
    again = load_manifest(tmp_path / "new.parquet")
    assert again.id == old.id
    assert again.table == old.table
    metadata = pq.read_schema(tmp_path / "new.parquet").metadata
    assert metadata[b"discern.format"].decode() == f"discern dataset version {NEWEST}"


def test_no_photo_moves_when_a_version_grows_from_one_of_an_older_format(old: DatasetVersion) -> None:
    fresh = [Photo(f"c8/{number}.jpg", "c8", jpeg(number)) for number in range(2)]
    grown, rejected = write_version([*photos_of(old), *fresh], old.shards, source="mine", before=old)
    assert rejected == []
    assert len(grown) == len(old) + 2
    assert assignments(grown.take(range(len(old)))) == assignments(old)
    assert None not in grown.column("width")


def test_an_unchanged_data_set_keeps_the_id_that_format_2_gave_it(tmp_path: Path) -> None:
    old = load_manifest(plant_fixture(2, tmp_path))
    assert old.splits == SplitConfig().model_dump_json()
    again, _ = write_version(photos_of(old), old.shards, source="mine", before=old)
    fresh, _ = write_version(photos_of(old), str(tmp_path / "elsewhere"), source="mine")
    assert again.id == fresh.id == old.id


def test_a_version_of_an_older_format_restores(old: DatasetVersion, tmp_path: Path) -> None:
    assert restore(old, tmp_path / "out").classes == 9
    source = TableSource(TableConfig(path=str(tmp_path / "out")))
    again, rejected = write_version(source.photos(), str(tmp_path / "shards"), source="again")
    assert rejected == []
    assert assignments(again) == assignments(old)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (f"discern dataset version {NEWEST + 1}", rf"format {NEWEST + 1}, .* up to {NEWEST}: update discern"),
        ("discern dataset version 0", "format 0, which never was"),
        ("discern dataset version x", "is not a manifest of a dataset version"),
        ("other 2", "is not a manifest of a dataset version"),
    ],
)
def test_an_unknown_format_is_refused_in_one_sentence(tmp_path: Path, name: str, reason: str) -> None:
    table = fixture_table(fixture(2)).replace_schema_metadata({"discern.format": name, "discern.shards": "x"})
    pq.write_table(table, tmp_path / "m.parquet")
    with pytest.raises(DataError, match=reason) as caught:
        load_manifest(tmp_path / "m.parquet")
    sentence(caught.value)


def test_a_manifest_that_lacks_a_column_or_its_shards_is_refused(tmp_path: Path) -> None:
    stored = fixture(2)
    table = fixture_table(stored)
    pq.write_table(table.drop_columns(["phash"]).replace_schema_metadata(stored["metadata"]), tmp_path / "m.parquet")
    with pytest.raises(DataError, match=r"m\.parquet is no whole manifest, for it lacks the column phash"):
        load_manifest(tmp_path / "m.parquet")
    metadata = {"discern.format": stored["metadata"]["discern.format"]}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "m.parquet")
    with pytest.raises(DataError, match="lacks the address of its shards"):
        load_manifest(tmp_path / "m.parquet")


def test_from_1_to_2_adds_margins_of_0_and_facts_that_nobody_measured() -> None:
    old = StoredManifest(fixture_table(fixture(1)), {"shards": "x"})
    new = from_1_to_2(old)
    assert new.table.select(old.table.column_names) == old.table
    assert set(new.table["margin"].to_pylist()) == {0.0}
    assert new.table["phash"].null_count == new.table.num_rows
    assert new.texts == {"shards": "x", "id_rule": "1"}


def test_from_2_to_3_renames_the_share_of_unknown_classes() -> None:
    old = StoredManifest(fixture_table(fixture(2)), {"splits": '{"seed":1,"stranger_share":0.25,"shots":3}'})
    new = from_2_to_3(old)
    assert new.table.select(old.table.column_names) == old.table
    assert json.loads(new.texts["splits"]) == {"seed": 1, "unknown_share": 0.25, "shots": 3}
    assert from_2_to_3(StoredManifest(pa.table({"label": ["a"]}), {})).texts["splits"] == ""
