"""Hard class mining: batches of classes that the model still takes for each other (Sohn, NIPS 2016, section 3.2).

Random classes soon teach nothing more: only the few that differ in one detail are left to learn. A batch of seed
classes and their nearest classes shows these. Nearness comes from a running mean of each class's embeddings, which
costs no pass over the photos.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

MOMENTUM = 0.3  # share of the old mean in the new one; low, since a class comes in few batches
REACH = 3  # a hard class is drawn from this many times as many nearest classes as are wanted
DECAY = 0.5  # ratio of one near class's chance to the next nearer one's: the nearest teach most


class HardClasses:
    """A running mean embedding of every class, and batches of classes that are near each other.

    Args:
        classes: how many.
        dim: length of an embedding.
        share: of a batch's classes that are drawn for being near a seed class, in [0, 1).
        seed: of the first means, which are random directions.
        turns: so many classes in a row are turns of one class. Turns are not drawn for each other, since a turned
            circle is the same circle, and nothing tells the two apart.
    """

    def __init__(self, classes: int, dim: int, share: float, seed: int, turns: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.means = functional.normalize(torch.randn(classes, dim, generator=generator), dim=1)
        self.share, self.turns = share, turns

    def update(self, embeddings: Tensor, class_ids: Tensor) -> None:
        """Take the embeddings [n, d] of a batch with classes `class_ids` [n] into the means."""
        classes, index = torch.unique(class_ids.cpu(), return_inverse=True)
        sums = torch.zeros(len(classes), self.means.shape[1])
        sums.index_add_(0, index, embeddings.detach().float().cpu())
        means = MOMENTUM * self.means[classes] + (1 - MOMENTUM) * functional.normalize(sums, dim=1)
        self.means[classes] = functional.normalize(means, dim=1)

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """`count` different classes, [count]: seeds at random, then for each seed in turn one of its nearest."""
        order = rng.permutation(len(self.means))
        seeds = order[: max(1, count - round(count * self.share))]
        chosen = seeds.tolist() + self._draw_near(seeds, count - len(seeds), rng)
        # Near classes of several seeds coincide at times: random ones fill the batch up.
        chosen += order.tolist()
        different = list(dict.fromkeys(chosen))
        return np.array(different[:count], dtype=np.int64)

    def _draw_near(self, seeds: NDArray[np.int64], count: int, rng: np.random.Generator) -> list[int]:
        """Classes near `seeds`, equally many of each, to make up `count`; the first pick of every seed comes first."""
        of_each = min(math.ceil(count / len(seeds)), len(self.means) - self.turns)
        if of_each == 0:
            return []
        picks = [_draw(near, of_each, rng) for near in self._nearest(seeds, REACH * of_each)]
        classes: list[int] = np.stack(picks, axis=1).reshape(-1).tolist()
        return classes

    def _nearest(self, seeds: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """The `count` classes nearest to each of `seeds` [s], turns of itself left out, [s, count] or fewer."""
        similarity = self.means[seeds] @ self.means.T
        unturned = torch.arange(len(self.means)) // self.turns
        is_turn = torch.from_numpy(seeds)[:, None] // self.turns == unturned
        similarity[is_turn] = -torch.inf
        nearest = similarity.topk(min(len(self.means) - self.turns, count), dim=1)
        return nearest.indices.numpy()


def _draw(near: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` different classes of `near`, the first ones the likeliest."""
    weights = DECAY ** np.arange(len(near))
    return rng.choice(near, count, replace=False, p=weights / weights.sum())
