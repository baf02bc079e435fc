from __future__ import annotations

import io
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.learning.safe_load import load_tensors


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def test_tensors_and_plain_values_come_back() -> None:
    loaded = load_tensors(saved({"a": torch.arange(4).float(), "b": [1, "two", None, (3.0, True)]}))
    assert loaded["a"].tolist() == [0, 1, 2, 3]
    assert loaded["b"] == [1, "two", None, (3.0, True)]


def test_a_whole_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"torch\.save"):
        load_tensors(saved(torch.nn.Linear(2, 2)))


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_in_the_same_way(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"torch\.save"):
        load_tensors(data)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_raises_nothing_else(place: int, bits: int) -> None:
    data = bytearray(saved({"a": torch.arange(16).float()}))
    data[place % len(data)] ^= bits
    with suppress(ValueError):
        load_tensors(bytes(data))
