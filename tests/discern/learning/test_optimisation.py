from __future__ import annotations

from itertools import pairwise

import pytest
from torch import nn

from discern.learning.optimisation import learning_rate, parameter_groups
from tests.discern import toy


def test_the_groups_hold_every_parameter_once() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    proxies = nn.ParameterList([nn.Parameter(nn.Linear(2, 2).weight)])
    config = toy.config(learning_rate=0.01, weight_decay=0.1, loss_learning_rate=0.5)
    decayed, plain, own = parameter_groups(model, proxies, config)
    assert [parameter.shape for parameter in decayed["params"]] == [(4, 3)]
    assert (decayed["lr"], decayed["weight_decay"]) == (0.01, 0.1)
    assert len(plain["params"]) == 3
    assert (plain["lr"], plain["weight_decay"]) == (0.01, 0)
    assert (len(own["params"]), own["lr"], own["weight_decay"]) == (1, 0.5, 0)


def test_a_loss_without_parameters_has_no_group() -> None:
    assert len(parameter_groups(nn.Linear(2, 2), nn.Module(), toy.config())) == 2


def test_the_rate_rises_to_its_peak_and_falls_to_a_hundredth() -> None:
    config = toy.config(steps=100, warmup=0.1)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert max(rates) == rates[9] == rates[10] == 1
    assert all(later < earlier for earlier, later in pairwise(rates[10:]))
    assert rates[55] == pytest.approx(0.01 + 0.99 / 2)
    assert rates[100] == pytest.approx(0.01)
    assert learning_rate(150, config) == pytest.approx(0.01)


def test_without_a_warm_up_the_first_step_is_at_the_peak() -> None:
    assert learning_rate(0, toy.config(steps=100, warmup=0)) == 1
