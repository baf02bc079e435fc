"""Which classes look alike to the model, so that a batch can hold such as it still takes for each other.

Random classes soon teach nothing more: what is left to learn are the few that differ in one detail. A batch of seeds
and their nearest classes shows these (hard class mining; Sohn, NIPS 2016, section 3.2). What is near is read off a
running mean of each class's embeddings, which costs no pass over the photos.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

MOMENTUM = 0.3  # share of a class's old mean in its new one: a class is seen seldom, so what is new counts more
REACH = 3  # a look-alike is drawn from this many times as many nearest classes as are wanted
DECAY = 0.5  # how much more seldom each of them is drawn than the one before: the nearest teach most


class LookAlikes:
    """A running mean embedding of every class, and batches of classes that are near each other.

    Args:
        classes: how many.
        dim: length of an embedding.
        share: of a batch's classes that are drawn for being near another one, in [0, 1).
        seed: of the means until the classes are seen, which are random directions.
        turns: so many classes in a row are one thing turned; these are not drawn for each other, since a turned circle
            is the same circle, and nothing tells the two apart.
    """

    def __init__(self, classes: int, dim: int, share: float, seed: int, turns: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.means = functional.normalize(torch.randn(classes, dim, generator=generator), dim=1)
        self.share, self.turns = share, turns

    def update(self, embeddings: Tensor, class_ids: Tensor) -> None:
        """Take the embeddings [n, d] of a batch with classes `class_ids` [n] into the means."""
        seen, place = torch.unique(class_ids.cpu(), return_inverse=True)
        sums = torch.zeros(len(seen), self.means.shape[1]).index_add_(0, place, embeddings.detach().float().cpu())
        new = MOMENTUM * self.means[seen] + (1 - MOMENTUM) * functional.normalize(sums, dim=1)
        self.means[seen] = functional.normalize(new, dim=1)

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """`count` different classes, [count]: seeds at random, then for each seed in turn one of its nearest."""
        order = rng.permutation(len(self.means))
        seeds = order[: max(1, count - round(count * self.share))]
        wanted = min(-(-(count - len(seeds)) // len(seeds)), len(self.means) - self.turns)
        chosen = dict.fromkeys(seeds.tolist())
        if wanted:
            picks = np.stack([_draw(near, wanted, rng) for near in self._nearest(seeds, REACH * wanted)])
            chosen |= dict.fromkeys(picks.T.reshape(-1).tolist())
        # Near classes of several seeds coincide at times: random ones fill the batch up.
        chosen |= dict.fromkeys(order.tolist())
        return np.array(list(chosen)[:count], dtype=np.int64)

    def _nearest(self, seeds: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """The `count` classes nearest to each of `seeds` [s] that are not itself turned, [s, count] or fewer."""
        similarity = self.means[seeds] @ self.means.T
        things = torch.arange(len(self.means)) // self.turns
        similarity[torch.from_numpy(seeds)[:, None] // self.turns == things] = -torch.inf
        found: NDArray[np.int64] = similarity.topk(min(len(things) - self.turns, count), dim=1).indices.numpy()
        return found


def _draw(near: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` different ones of `near`, the first ones the likeliest."""
    weights = DECAY ** np.arange(len(near))
    return rng.choice(near, count, replace=False, p=weights / weights.sum())
