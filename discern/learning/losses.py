"""What a model learns from: labels (any loss of pytorch-metric-learning), and a teacher's embeddings."""

from __future__ import annotations

import difflib
import inspect
from typing import Any

import torch
from pytorch_metric_learning import losses, miners
from torch import Tensor, nn
from torch.nn import functional

from discern.errors import ConfigError
from discern.learning.config import DistillConfig, NamedPart


class MetricObjective(nn.Module):
    """A loss of pytorch-metric-learning by name, perhaps with a miner.

    Args:
        loss: class name and arguments.
        miner: class name and arguments, or None.
        classes: number of classes, for losses that keep a proxy a class.
        embedding_dim: for the same.

    Raises:
        ConfigError: no such class, or it does not take the arguments.
    """

    def __init__(self, loss: NamedPart, miner: NamedPart | None, classes: int, embedding_dim: int) -> None:
        super().__init__()
        sizes = {"num_classes": classes, "embedding_size": embedding_dim, "descriptors_dim": embedding_dim}
        self.loss = _build(losses, losses.BaseMetricLossFunction, loss, "loss", sizes)
        self.miner = None if miner is None else _build(miners, miners.BaseMiner, miner, "miner", {})

    def forward(self, embeddings: Tensor, labels: Tensor, photos: Tensor) -> Tensor:  # noqa: ARG002
        """Loss of `embeddings` [n, d] with `labels` [n]; `photos` [n] are not looked at."""
        if self.miner is None:
            return self.loss(embeddings, labels)
        return self.loss(embeddings, labels, self.miner(embeddings, labels))


class DistillObjective(nn.Module):
    """The student's embedding of a changed photo is drawn to the teacher's embedding of the photo as it is.

    The teacher is asked once for every photo, not once for every step: its embeddings hardly depend on the change,
    since it was trained not to. The sum has a cosine term, which keeps the student compatible with the teacher's
    index, the KL divergence between rows of batch similarities (Passalis and Tefas, ECCV 2018, with a softmax
    kernel), and perhaps the metric loss.

    Args:
        teacher: the teacher's embeddings of all training photos, [n, d], unit length.
        config: the terms' weights.
        metric: the loss on labels, used if its weight is not 0.
    """

    teacher: Tensor

    def __init__(self, teacher: Tensor, config: DistillConfig, metric: MetricObjective) -> None:
        super().__init__()
        self.register_buffer("teacher", teacher, persistent=False)
        self.config = config
        self.metric = metric if config.metric else None

    def forward(self, embeddings: Tensor, labels: Tensor, photos: Tensor) -> Tensor:
        """Loss of `embeddings` [n, d] of the photos `photos` [n] (rows of the teacher's embeddings)."""
        target = self.teacher[photos]
        loss = self.config.cosine * (1 - (embeddings * target).sum(1)).mean()
        loss = loss + self.config.similarity * similarity_divergence(embeddings, target, self.config.temperature)
        if self.metric is not None:
            loss = loss + self.config.metric * self.metric(embeddings, labels, photos)
        return loss


def similarity_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean KL divergence from the teacher's to the student's rows of softmax(similarity / temperature).

    Args:
        student: [n, d], unit length.
        teacher: [n, e], unit length; e need not be d.
        temperature: of the softmax.
    """
    itself = torch.eye(len(student), dtype=torch.bool, device=student.device)
    ours = (student @ student.T / temperature).masked_fill(itself, -1e9)
    theirs = (teacher @ teacher.T / temperature).masked_fill(itself, -1e9)
    return functional.kl_div(
        functional.log_softmax(ours, 1), functional.log_softmax(theirs, 1), reduction="batchmean", log_target=True
    )


def _build(module: Any, base: type[nn.Module], part: NamedPart, kind: str, offered: dict[str, Any]) -> nn.Module:
    factories = {
        name: factory
        for name, factory in vars(module).items()
        if inspect.isclass(factory) and issubclass(factory, base) and factory is not base
    }
    factory = factories.get(part.name)
    if factory is None:
        near = difflib.get_close_matches(part.name, factories, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see pytorch-metric-learning's list."
        raise ConfigError(f"pytorch-metric-learning has no {kind} {part.name!r}: {hint}")
    # Some classes hand `**kwargs` on to the one they extend, which is where the names stand.
    wanted = {name for parent in factory.__mro__ for name in inspect.signature(parent).parameters}
    arguments = {key: value for key, value in offered.items() if key in wanted} | part.parameters
    try:
        return factory(**arguments)
    except (TypeError, ValueError, AssertionError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise ConfigError(
            f"The {kind} {part.name} does not take these `parameters` ({reason}): see its documentation."
        ) from None
