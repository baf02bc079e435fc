"""The id of a version: what it covers, and that an unchanged data set keeps the id that format 2 gave it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.datasets.manifest import DatasetVersion
from tests.discern.datasets.manifests import Thing, empty, unlabelled, version

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
A = Thing("a", "nut", split="test", role="query", captured_at=NOON)
B = Thing("b", "bolt")
NAMES = ("sha256", "label", "box", "margin", "split", "role", "source", "group", "captured_at")


def id_of_format_2(subject: DatasetVersion) -> str:
    """The rule as the software that wrote format 2 had it."""
    digest = hashlib.sha256(b"discern dataset version 2")
    for name in NAMES:
        digest.update(json.dumps([name, subject.table[name].to_pylist()], default=str).encode())
    return digest.hexdigest()[:16]


things = st.builds(
    Thing,
    picture=st.text(min_size=1, max_size=4),
    label=st.text(min_size=1, max_size=4),
    box=st.none() | st.just((1.0, 2.0, 30.5, 40.0)),
    margin=st.sampled_from([0.0, 0.25]),
    split=st.sampled_from(["train", "validation", "test"]),
    role=st.sampled_from(["gallery", "query"]),
    group=st.none() | st.text(max_size=3),
    captured_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    label_method=st.sampled_from(["import", None]),
    source=st.just(""),
    row_kind=st.just("instance"),
    **dict.fromkeys(("labelled_by", "labelled_at", "confidence", "device", "release"), st.none()),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(things, max_size=4))
def test_the_id_is_that_of_format_2_where_later_columns_hold_their_defaults(rows: list[Thing]) -> None:
    subject = version(*rows)
    assert subject.id == id_of_format_2(subject)


@pytest.mark.parametrize(
    "change",
    [
        {"picture": "other"},
        {"label": "cog"},
        {"box": (0.0, 0.0, 5.0, 5.0)},
        {"margin": 0.5},
        {"split": "validation"},
        {"role": "gallery"},
        {"source": "mine/elsewhere.jpg"},
        {"group": "tray"},
        {"captured_at": NOON.replace(minute=1)},
        {"captured_at": None},
        {"labelled_by": "ann"},
        {"label_method": "review"},
        {"labelled_at": NOON},
        {"confidence": 0.5},
        {"device": "line 3"},
        {"release": "abc"},
    ],
    ids=str,
)
def test_whatever_a_row_says_is_in_the_id(change: dict[str, Any]) -> None:
    same_source = A._replace(source="mine/nut/a.jpg")
    assert version(same_source, B).id != version(same_source._replace(**change), B).id


def test_rows_without_an_instance_are_in_the_id() -> None:
    ids = [
        version(A, B).id,
        version(A, B, empty("c")).id,
        version(A, B, empty("c", split="test")).id,
        version(A, B, empty("c", labelled_by="ann")).id,
        version(A, B, unlabelled("c")).id,
        version(A, B, unlabelled("c", device="line 3")).id,
        version(A, B, empty("c"), unlabelled("d")).id,
    ]
    assert len(set(ids)) == len(ids)


def test_their_place_among_the_instances_is_not() -> None:
    assert version(A, empty("c"), B).id == version(A, B, empty("c")).id
