"""The optimiser's groups and the course of its learning rate."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from discern.learning.config import LoopConfig

LAST = 0.01  # share of the peak at which the learning rate ends


def parameter_groups(model: nn.Module, objective: nn.Module, config: LoopConfig) -> list[dict[str, Any]]:
    """Norms and biases are not decayed; the loss's own parameters (proxies) stand in a group of their own."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "lr": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": plain, "lr": config.learning_rate, "weight_decay": 0.0},
    ]
    if proxies := list(objective.parameters()):
        groups.append({"params": proxies, "lr": config.loss_learning_rate, "weight_decay": 0.0})
    return groups


def learning_rate(step: int, config: LoopConfig) -> float:
    """Linear warm-up, then half a cosine down to `LAST`; a factor of the peak."""
    warm = max(1, round(config.steps * config.warmup))
    if step < warm:
        return (step + 1) / warm
    progress = (step - warm) / max(1, config.steps - warm)
    return LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
