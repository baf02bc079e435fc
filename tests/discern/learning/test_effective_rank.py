from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import ortho_group

from discern.learning.effective_rank import effective_rank


def test_equal_vectors_have_rank_one() -> None:
    assert effective_rank(np.tile(np.array([0.6, 0.8, 0.0], np.float32), (50, 1))) == pytest.approx(1)


def test_an_orthonormal_basis_has_full_rank() -> None:
    assert effective_rank(np.eye(7, dtype=np.float32)) == pytest.approx(7)
    assert effective_rank(np.tile(np.eye(7), (3, 1))) == pytest.approx(7)


def test_unequal_directions_count_by_their_entropy() -> None:
    # Singular values 3 and 1: shares 3/4 and 1/4.
    assert effective_rank(np.diag([3.0, 1.0])) == pytest.approx(4 / 3**0.75)


def test_one_dimension_and_one_vector_have_rank_one() -> None:
    assert effective_rank(np.array([[1.0], [-1.0], [0.5]])) == pytest.approx(1)
    assert effective_rank(np.array([[0.6, 0.8]])) == pytest.approx(1)


@settings(deadline=None, max_examples=50)
@given(arrays.arrays(np.float64, (6, 4), elements=st.floats(-1, 1, width=32)), st.floats(0.01, 100), st.integers(0, 99))
def test_it_lies_between_one_and_the_rank_and_is_blind_to_size_and_turning(
    vectors: np.ndarray, size: float, seed: int
) -> None:
    vectors[0, 0] = 1
    rank = effective_rank(vectors)
    assert 1 - 1e-9 <= rank <= 4 + 1e-9
    assert effective_rank(size * vectors @ ortho_group.rvs(4, random_state=seed)) == pytest.approx(rank, rel=1e-4)


@pytest.mark.parametrize(
    "vectors", [np.empty((0, 3)), np.zeros((2, 3)), np.array([[1, np.nan]]), np.array([[np.inf, 1]])]
)
def test_what_has_no_directions_is_an_error(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite vectors that are not all 0"):
        effective_rank(vectors)
