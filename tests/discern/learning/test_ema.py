from __future__ import annotations

import torch
from torch import Tensor, nn

from discern.learning.ema import Ema


class Layer(nn.Module):
    """One layer with running statistics."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.set(value)

    def set(self, value: float) -> None:
        for parameter in self.parameters():
            parameter.data.fill_(value)
        assert self.norm.running_mean is not None
        self.norm.running_mean.fill_(value)

    def forward(self, rows: Tensor) -> Tensor:
        return self.norm(rows)


def averaged(values: list[float], decay: float = 0.9) -> Ema[Layer]:
    trained = Layer(7.0)
    ema = Ema(Layer(0.0), trained, decay)
    for value in values:
        trained.set(value)
        ema.update(trained)
    return ema


def test_the_average_begins_with_the_first_step_and_follows_the_weights() -> None:
    weights = averaged([1.0, 2.0, 4.0]).weights()
    wanted = 0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 4
    torch.testing.assert_close(weights["norm.weight"], torch.full((2,), wanted))
    torch.testing.assert_close(weights["norm.running_mean"], torch.full((2,), wanted))


def test_the_weights_are_a_copy() -> None:
    ema = averaged([1.0])
    ema.weights()["norm.weight"].zero_()
    assert torch.equal(ema.weights()["norm.weight"], torch.ones(2))


def test_the_model_has_the_averaged_weights_and_evaluates() -> None:
    ema = averaged([1.0, 2.0])
    model = ema.model()
    assert not model.training
    torch.testing.assert_close(model.norm.weight.detach(), torch.full((2,), 1.1))
    model.norm.weight.data.zero_()
    torch.testing.assert_close(ema.model().norm.weight.detach(), torch.full((2,), 1.1))


def test_a_model_of_earlier_weights() -> None:
    ema = averaged([1.0])
    earlier = ema.weights()
    trained = Layer(5.0)
    ema.update(trained)
    assert torch.equal(ema.model(earlier).norm.weight.detach(), torch.ones(2))


def test_a_loaded_average_goes_on_as_the_saved_one() -> None:
    first, second = averaged([1.0, 2.0]), averaged([])
    second.load(first.state())
    trained = Layer(3.0)
    first.update(trained)
    second.update(trained)
    assert all(torch.equal(tensor, second.weights()[name]) for name, tensor in first.weights().items())
