from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from discern.learning.hard_classes import HardClasses


def pairs(classes: int, share: float) -> HardClasses:
    """Classes 2k and 2k + 1 lie side by side, and all else is at right angles."""
    hard = HardClasses(classes, classes // 2, share, seed=0)
    hard.means = torch.eye(classes // 2).repeat_interleave(2, 0)
    return hard


@given(count=st.integers(1, 20), extra=st.integers(0, 20), share=st.floats(0, 0.95), seed=st.integers(0, 2**16))
def test_a_draw_is_so_many_different_classes(count: int, extra: int, share: float, seed: int) -> None:
    drawn = HardClasses(count + extra, 8, share, seed).draw(count, np.random.default_rng(seed))
    assert len(set(drawn.tolist())) == len(drawn) == count
    assert set(drawn.tolist()) <= set(range(count + extra))


def test_half_of_the_classes_are_near_the_others() -> None:
    drawn = pairs(400, 0.5).draw(24, np.random.default_rng(3))
    seeds, near = drawn[:12], drawn[12:]
    # A class of these means has one that is near: it is drawn with 4 chances in 7.
    assert 3 <= len(set((near ^ 1).tolist()) & set(seeds.tolist())) <= 11


def test_without_a_share_classes_are_drawn_at_random() -> None:
    drawn = pairs(400, 0.0).draw(24, np.random.default_rng(3))
    assert drawn.tolist() == np.random.default_rng(3).permutation(400)[:24].tolist()


def test_a_draw_depends_on_the_generator_and_the_means_alone() -> None:
    hard = pairs(40, 0.5)
    first = hard.draw(8, np.random.default_rng(1)).tolist()
    assert hard.draw(8, np.random.default_rng(1)).tolist() == first
    assert hard.draw(8, np.random.default_rng(2)).tolist() != first


def test_the_means_follow_the_embeddings() -> None:
    hard = HardClasses(3, 4, 0.5, seed=0)
    before = hard.means.clone()
    vectors = functional.normalize(torch.tensor([[1.0, 1, 0, 0], [1, -1, 0, 0], [0, 0, 0, 1]]), dim=1)
    hard.update(vectors, torch.tensor([1, 1, 2]))
    assert torch.equal(hard.means[0], before[0])
    wanted = functional.normalize(0.3 * before[1] + 0.7 * torch.tensor([1.0, 0, 0, 0]), dim=0)
    torch.testing.assert_close(hard.means[1], wanted)
    torch.testing.assert_close(hard.means.norm(dim=1), torch.ones(3))
    for _ in range(20):
        hard.update(vectors, torch.tensor([1, 1, 2]))
    torch.testing.assert_close(hard.means[2], vectors[2], atol=1e-4, rtol=0)


def test_few_classes_are_drawn_whole() -> None:
    assert sorted(pairs(4, 0.5).draw(4, np.random.default_rng(0)).tolist()) == [0, 1, 2, 3]


def test_a_class_is_not_drawn_for_being_near_its_own_turns() -> None:
    hard = HardClasses(8, 2, 0.5, seed=0, turns=4)
    hard.means = torch.ones(8, 2) / 2**0.5  # all alike
    for seed in range(20):
        first, second = hard.draw(2, np.random.default_rng(seed)) // 4
        assert first != second


def test_with_one_class_alone_a_batch_is_filled_with_its_turns() -> None:
    assert sorted(HardClasses(4, 2, 0.5, seed=0, turns=4).draw(4, np.random.default_rng(0)).tolist()) == [0, 1, 2, 3]
