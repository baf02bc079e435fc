from __future__ import annotations

from discern.sources.yolo.names import class_number, written_class


def test_class_numbers() -> None:
    assert [class_number(text) for text in ("0", "007", "81")] == [0, 7, 81]
    assert [class_number(text) for text in ("", "-1", "1.0", "\u0663", "\u00b2", "1" * 10)] == [None] * 6


def test_classes_as_tools_write_them() -> None:
    assert [written_class(text) for text in ("0", "1.0", "2.000000e+00", "+3", "4.")] == [0, 1, 2, 3, 4]
    assert [written_class(text) for text in ("", "-1", "0.5", "tag", "nan", "1e300", "1_0")] == [None] * 7
