from __future__ import annotations

import copy

import torch
from torch import nn

from discern.learning.device import accelerator
from discern.learning.learner import Learner
from discern.learning.optimisation import learning_rate, parameter_groups
from discern.learning.seeds import LEARNING, step_seed
from tests.discern.learning import box_task
from tests.discern.learning.box_task import BoxNet, BoxObjective, ShuffledSampler

CONFIG = box_task.config(clip_norm=0.05, weight_decay=0.1, seed=4)


def learner() -> Learner[BoxNet]:
    torch.manual_seed(1)
    return Learner(CONFIG, accelerator(CONFIG), BoxNet(), BoxObjective())


def test_a_step_is_the_step_of_plain_torch_to_the_bit() -> None:
    learned = learner()
    model: BoxNet = copy.deepcopy(learned.model)
    objective: nn.Module = copy.deepcopy(learned.objective)
    optimizer = torch.optim.AdamW(parameter_groups(model, objective, CONFIG))
    for step in range(3):
        batch = ShuffledSampler(0).batch(step)
        outputs, value = learned.learn(batch, step)
        for group, rate in zip(
            optimizer.param_groups, (CONFIG.learning_rate, CONFIG.learning_rate, CONFIG.loss_learning_rate), strict=True
        ):
            group["lr"] = rate * learning_rate(step, CONFIG)
        torch.manual_seed(step_seed(4, step, LEARNING))
        boxes = model.train()(batch.images)
        torch.manual_seed(step_seed(4, step, LEARNING))
        loss = objective(boxes, batch)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), CONFIG.clip_norm)
        assert norm > CONFIG.clip_norm
        optimizer.step()
        assert value == loss.item()
        assert torch.equal(outputs["boxes"], boxes["boxes"])
    assert all(torch.equal(tensor, learned.model.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(learned.objective.state_dict()["log_scale"], objective.state_dict()["log_scale"])


def test_dropout_draws_anew_at_every_step() -> None:
    learned = learner()
    batch = ShuffledSampler(0).batch(0)
    learned.schedule.base_lrs = [0.0] * 3
    for group in learned.optimizer.param_groups:
        group["lr"] = 0.0
    first, again, other = (learned.learn(batch, step)[0]["boxes"] for step in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_loaded_learner_goes_on_as_the_saved_one() -> None:
    first, second = learner(), learner()
    sampler = ShuffledSampler(0)
    first.learn(sampler.batch(0), 0)
    second.load(copy.deepcopy(first.state()))
    assert first.last_learning_rate() == second.last_learning_rate() > 0
    for each in (first, second):
        each.learn(sampler.batch(1), 1)
    for name, tensor in first.ema.weights().items():
        assert torch.equal(tensor, second.ema.weights()[name])
