from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from discern.sources.entries import Entry, ListedSource, in_order, with_names
from discern.sources.files.open import open_tree
from discern.sources.names import NamesConfig
from tests.discern.sources.layouts import plant


def test_the_order_is_by_path_then_box_then_label() -> None:
    expected = [
        Entry("a", None),
        Entry("a", "x"),
        Entry("a", "y", (1, 2, 3, 4)),
        Entry("a", "z", (1, 2, 3, 4)),
        Entry("a", "a", (1, 2.5, 3, 4)),
        Entry("a", "a", (10, 0, 3, 4)),
        Entry("b", None),
    ]
    assert in_order(reversed(expected)) == expected


def test_names_fill_group_and_time() -> None:
    names = NamesConfig(group_pattern="(t.)/", time_pattern=r"(\d{8})", time_format="%Y%m%d")
    entries = [Entry("t1/20200422.jpg", "x"), Entry("y.jpg", None, group="g")]
    assert list(with_names(entries, names)) == [
        Entry("t1/20200422.jpg", "x", group="t1", captured_at=datetime(2020, 4, 22, tzinfo=UTC)),
        Entry("y.jpg", None),
    ]
    assert list(with_names(entries, None)) == entries


def test_entries_become_photos(tmp_path: Path) -> None:
    tree = open_tree(str(plant(tmp_path / "in", {"a.jpg": b"a", "b.jpg": b"b"})))
    moment = datetime(2020, 4, 22, tzinfo=UTC)
    entries = [Entry("a.jpg", "x", (1, 2, 3, 4), "test", "query", "g", moment), Entry("b.jpg", None)]
    source = ListedSource("set", tree, NamesConfig(group_pattern="(.)"), entries, margin=0.1)
    first, second = source.photos()
    assert (source.name, len(source)) == ("set", 2)
    assert (first.name, first.label, first.box, first.split, first.role) == (
        "a.jpg",
        "x",
        (1, 2, 3, 4),
        "test",
        "query",
    )
    assert (first.group, first.captured_at, first.margin, first.stamp) == ("g", moment, 0.1, tree.stamp("a.jpg"))
    assert (first.load(), second.load(), second.margin) == (b"a", b"b", 0)
    other = ListedSource("set", tree, NamesConfig(group_pattern="(..)"), entries)
    assert source.fingerprint() == ListedSource("", tree, NamesConfig(group_pattern="(.)"), []).fingerprint()
    assert source.fingerprint() != other.fingerprint()
