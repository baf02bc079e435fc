"""Former keys of configs and of recorded runs."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.former_keys import FORMER_KEYS, renamed


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"splits": {"stranger_share": 0.4, "seed": 1}}, {"splits": {"unknown_share": 0.4, "seed": 1}}),
        ({"a": [{"strangers": 3}]}, {"a": [{"unknowns": 3}]}),
        ({"label": "strangers"}, {"label": "strangers"}),  # a value is no key
        (7, 7),
    ],
)
def test_renamed_gives_every_former_key_its_name_of_today(tree: Any, expected: Any) -> None:
    assert renamed(tree) == expected


def test_no_name_of_today_is_a_former_one() -> None:
    assert not set(FORMER_KEYS) & set(FORMER_KEYS.values())
