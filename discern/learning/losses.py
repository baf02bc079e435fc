"""Losses of embeddings: from labels (any loss of pytorch-metric-learning) and from a teacher's embeddings.

A loss is a module that takes embeddings [n, d] and the `LabelledBatch` they came from. It sees the whole batch:
`EmbeddingObjective` gathers the embeddings where several processes train as one, so that losses and miners see the
classes of every process (pytorch-metric-learning's wrappers for this let miners draw differently in each, and give
proxies as many times their gradient).
"""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_metric_learning import distances, losses, miners
from torch import Tensor, nn
from torch.nn import functional

from discern.errors import ConfigError
from discern.learning.config import DistillConfig, NamedPart
from discern.learning.device import MixedPrecision
from discern.learning.distributed import collectives
from discern.suggestions import suggest


@dataclass(frozen=True)
class LabelledBatch:
    """Changed photos with their classes.

    Where several processes train as one, the images are this process's share, and labels and views are everyone's.

    Attributes:
        images: [n, 3, H, W] in [0, 1], changed at random.
        labels: [n] class numbers.
        views: [n] numbers of the unchanged views (`discern.learning.batches.Views`).
        turns: views a photo.
    """

    images: Tensor
    labels: Tensor
    views: Tensor
    turns: int = 1

    @property
    def photos(self) -> list[int]:
        """The number of the photo of each view."""
        numbers: list[int] = (self.views // self.turns).tolist()
        return numbers


class EmbeddingObjective(nn.Module):
    """The objective of an embedder: one loss of the embeddings of all processes, in float32.

    Args:
        loss: ([n, d] embeddings, `LabelledBatch`) -> loss.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, embeddings: Tensor, batch: LabelledBatch) -> Tensor:
        """Loss of this process's `embeddings` and everyone else's."""
        return self.loss(collectives.gather(embeddings.float()), batch)


class MetricLoss(nn.Module):
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

    def forward(self, embeddings: Tensor, batch: LabelledBatch) -> Tensor:
        """Loss of `embeddings` [n, d] with the batch's labels."""
        if self.miner is None:
            return self.loss(embeddings, batch.labels)
        return self.loss(embeddings, batch.labels, self.miner(embeddings, batch.labels))


class DistillationLoss(nn.Module):
    """The student's embedding of a changed photo is drawn to the teacher's.

    The sum has a cosine term, which keeps the student compatible with the teacher's index, the KL divergence between
    rows of batch similarities (Passalis and Tefas, ECCV 2018, with a softmax kernel), and, where `config.metric` is not
    0, the metric loss of the labels; without it a student sees no label.

    Args:
        teacher: gives the teacher's embeddings: of the unchanged views, computed once (`EmbeddedViews`), or of the
            very images that the student sees (`SameImages`).
        config: the terms' weights.
        metric: the loss on labels, used if its weight is not 0.
    """

    def __init__(self, teacher: EmbeddedViews | SameImages, config: DistillConfig, metric: MetricLoss) -> None:
        super().__init__()
        self.teacher = teacher
        self.config = config
        self.metric = metric if config.metric else None

    def forward(self, embeddings: Tensor, batch: LabelledBatch) -> Tensor:
        """Loss of `embeddings` [n, d] of the batch's images."""
        target = self.teacher(batch)
        loss = self.config.cosine * (1 - (embeddings * target).sum(1)).mean()
        loss = loss + self.config.similarity * similarity_divergence(embeddings, target, self.config.temperature)
        if self.metric is not None:
            loss = loss + self.config.metric * self.metric(embeddings, batch)
        return loss


class EmbeddedViews(nn.Module):
    """A teacher's embeddings that were computed once for every view, not once for every step.

    They hardly depend on the random change, since the teacher was trained for that.

    Args:
        vectors: the teacher's embeddings of all views, [n, d], unit length.
    """

    vectors: Tensor

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors, persistent=False)

    def forward(self, batch: LabelledBatch) -> Tensor:
        """The embeddings of the batch's views, [n, d]."""
        return self.vectors[batch.views]


class SameImages(nn.Module):
    """A teacher that embeds the changed images too: function matching (Beyer et al., CVPR 2022).

    It costs the teacher's forward pass at every step, and teaches from many more images than there are photos.

    Args:
        teacher: the trained model; it is neither trained further nor kept in checkpoints.
        precision: `bf16` and `fp16` let it compute with those numbers.
    """

    def __init__(self, teacher: nn.Module, precision: MixedPrecision) -> None:
        super().__init__()
        # A copy, since it moves to where the training computes, and in a tuple, so that its weights are not the
        # objective's own: those would be trained and saved.
        self.hidden = (copy.deepcopy(teacher).eval(),)
        self.dtype = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]

    def forward(self, batch: LabelledBatch) -> Tensor:
        """The embeddings of the images of all processes, [n, d]; each computes its own."""
        device = batch.images.device
        autocast = torch.autocast(device.type, self.dtype, enabled=self.dtype != torch.float32)
        with torch.no_grad(), autocast:
            embeddings: Tensor = self.hidden[0].to(device)(batch.images)
        return collectives.gather(functional.normalize(embeddings.float(), dim=1))


def similarity_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean KL divergence from the teacher's to the student's rows of softmax(similarity / temperature).

    Args:
        student: [n, d], unit length.
        teacher: [n, e], unit length; e need not be d.
        temperature: of the softmax.
    """
    diagonal = torch.eye(len(student), dtype=torch.bool, device=student.device)
    student_logits = (student @ student.T / temperature).masked_fill(diagonal, -1e9)
    teacher_logits = (teacher @ teacher.T / temperature).masked_fill(diagonal, -1e9)
    return functional.kl_div(
        functional.log_softmax(student_logits, 1),
        functional.log_softmax(teacher_logits, 1),
        reduction="batchmean",
        log_target=True,
    )


def _build(module: Any, base: type[nn.Module], part: NamedPart, kind: str, offered: dict[str, Any]) -> nn.Module:
    """Make `part` of the classes in `module` that extend `base`, with those of `offered` that it takes."""
    factory = _class_named(part.name, module, base, kind)
    # Some classes hand `**kwargs` on to the class they extend, whose signature has the names.
    accepted = {name for parent in factory.__mro__ for name in inspect.signature(parent).parameters}
    arguments = {key: value for key, value in offered.items() if key in accepted} | part.parameters
    if part.distance is not None:
        arguments["distance"] = _build(distances, distances.BaseDistance, part.distance, "distance", {})
    try:
        return factory(**arguments)
    except (TypeError, ValueError, AssertionError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise ConfigError(
            f"The {kind} {part.name} does not take these `parameters` ({reason}): see its documentation."
        ) from None


def _class_named(name: str, module: Any, base: type[nn.Module], kind: str) -> type[nn.Module]:
    """The class `name` of `module` that extends `base`."""
    classes = {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and value is not base
    }
    if name not in classes:
        hint = suggest(name, classes, otherwise="see pytorch-metric-learning's list.", count=3)
        raise ConfigError(f"pytorch-metric-learning has no {kind} {name!r}: {hint}")
    return classes[name]
