"""Communication between the processes of one training. Where there is only one, nothing here does anything.

`discern.learning.distributed.launch` and `torchrun` start them; each learns its rank from the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from discern.errors import TrainingError

T = TypeVar("T")


def world_size() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def from_main(work: Callable[[], T]) -> T:
    """Return in every process the result of `work` in the main process; the others do none of it and wait.

    Raises:
        TrainingError: in the others, if the work failed; the main process raises its own error.
    """
    if world_size() == 1:
        return work()
    message: list[Any] = [None, None]
    if dist.get_rank() == 0:
        try:
            message[0] = work()
        except BaseException as error:
            dist.broadcast_object_list([None, f"{type(error).__name__}: {error}"])
            raise
    dist.broadcast_object_list(message)
    answer, failure = message
    if failure is not None:
        raise TrainingError(f"The main process failed, and this one ends with it ({failure}): see the main one's log.")
    return answer


def gather(rows: Tensor) -> Tensor:
    """The rows of all processes, in their order: [n, ...] to [n * world_size(), ...].

    Every process is to compute the same from them. Gradients flow to this process's own rows alone, times
    `world_size()`: averaged over the processes, as DistributedDataParallel does, the model's gradients are those of one
    large batch.
    """
    if world_size() == 1:
        return rows
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(world_size())]
    dist.all_gather(parts, rows.detach().contiguous())
    if rows.requires_grad:
        rows.register_hook(lambda gradient: gradient * world_size())
        parts[dist.get_rank()] = rows
    return torch.cat(parts)


@torch.no_grad()
def average(tensors: Iterable[Tensor]) -> None:
    """Replace each tensor by its mean over the processes."""
    targets = list(tensors)
    if world_size() == 1 or not targets:
        return
    flat = torch.cat([tensor.flatten() for tensor in targets])  # one message, not dozens
    dist.all_reduce(flat)
    means = (flat / world_size()).split([tensor.numel() for tensor in targets])
    for tensor, mean in zip(targets, means, strict=True):
        tensor.copy_(mean.view_as(tensor))
