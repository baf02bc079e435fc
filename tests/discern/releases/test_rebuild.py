"""A release is built anew from its dataset version to the same answers; another version is told apart."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.metrics import Metrics
from discern.releases.rebuild import rebuild
from edge_runtime.core.release import Release


def test_a_release_is_what_its_version_gives(candidate: tuple[Release, Metrics], toy_version: DatasetVersion) -> None:
    release = candidate[0]
    made = rebuild(release, toy_version)
    assert made.differences == ()
    assert made.rows == release.manifest.counts.gallery
    assert made.least_cosine is not None
    assert made.least_cosine > 0.999
    assert made.alike == made.queries > 0


def test_a_version_without_one_of_the_classes_is_told(
    candidate: tuple[Release, Metrics], toy_version: DatasetVersion
) -> None:
    first, *others = candidate[0].labels
    made = rebuild(candidate[0], toy_version.select(labels=others))
    assert (made.queries, made.least_cosine) == (0, None)
    assert made.differences[0] == f"1 class was shipped and not built, such as {first!r}"
    assert made.differences[1].endswith("or other ones of a class")


def test_a_version_with_other_photos_is_told(candidate: tuple[Release, Metrics], toy_version: DatasetVersion) -> None:
    """The same photos under each other's names: every row differs, and so does what is answered."""
    labels = candidate[0].labels
    following = dict(zip(labels, [*labels[1:], labels[0]], strict=True))
    table = toy_version.table
    names = pa.array(
        [following.get(label, label) for label in toy_version.column("label")], table.schema.field("label").type
    )
    table = table.set_column(table.schema.get_field_index("label"), "label", names)
    made = rebuild(candidate[0], replace(toy_version, table=table))
    assert any("with a cosine of" in told for told in made.differences)
    assert made.alike < made.queries
