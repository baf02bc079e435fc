from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from discern.errors import TrainingError
from discern.learning.ema import Ema
from discern.learning.monitor import CollapseAlarm, EarlyStopping, Monitor, Validation, check_finite
from tests.discern.learning.box_task import BoxBatch

BATCH = BoxBatch(torch.zeros(0), torch.zeros(0), [5, 3, 8, 1, 9, 2])
SPREAD = torch.eye(4)  # effective rank 4
COLLAPSED = torch.ones(4, 4)  # effective rank 1


def weights(value: float) -> dict[str, Tensor]:
    return {"weight": torch.full((1,), value)}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_check_finite_names_the_figure_the_step_and_four_photos(value: float) -> None:
    with pytest.raises(TrainingError, match=rf"The loss is {value} at step 7 \(photos \[5, 3, 8, 1\] and so on\)"):
        check_finite("loss", value, 7, BATCH)


@pytest.mark.parametrize("value", [0.0, -1e30, 1e30])
def test_check_finite_lets_numbers_pass(value: float) -> None:
    check_finite("loss", value, 7, BATCH)


def test_early_stopping_counts_validations_without_a_better_figure() -> None:
    stopping = EarlyStopping(2)
    due = []
    for figure in (0.5, 0.7, 0.7, 0.8, 0.1, 0.2):
        stopping.update(figure, lambda: weights(0.0))
        due.append(stopping.is_due())
    assert due == [False, False, False, False, False, True]


def test_early_stopping_keeps_the_weights_of_the_best_validation() -> None:
    stopping = EarlyStopping(9)
    for figure in (0.5, 0.7, 0.6, 0.7):
        stopping.update(figure, lambda value=figure: weights(value))  # type: ignore[misc]
    assert torch.equal(stopping.weights["weight"], torch.full((1,), 0.7))


def test_early_stopping_without_patience_copies_no_weights_and_is_never_due() -> None:
    stopping = EarlyStopping(0)
    for _ in range(5):
        stopping.update(0.5, lambda: pytest.fail("weights were copied"))
    assert not stopping.is_due()
    assert stopping.weights == {}


def test_early_stopping_goes_on_from_its_state() -> None:
    first, second = EarlyStopping(2), EarlyStopping(2)
    first.update(0.7, lambda: weights(0.7))
    first.update(0.6, lambda: weights(0.6))
    second.load(first.state())
    second.update(0.65, lambda: weights(0.65))
    assert second.is_due()
    assert torch.equal(second.weights["weight"], torch.full((1,), 0.7))


def test_the_collapse_alarm_ends_the_training_at_the_third_low_rank_in_a_row() -> None:
    alarm = CollapseAlarm(1.2, warmup_steps=0)
    assert alarm.look(10, SPREAD) == {"effective_rank": pytest.approx(4)}
    for step, outputs in ((20, COLLAPSED), (30, COLLAPSED), (40, SPREAD), (50, COLLAPSED), (60, COLLAPSED)):
        alarm.look(step, outputs)
    with pytest.raises(TrainingError, match=r"at step 70 .* effective rank 1\.00, under least_rank = 1\.2; lower the"):
        alarm.look(70, COLLAPSED)


def test_two_classes_at_the_ends_of_one_line_have_not_collapsed() -> None:
    ends = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    alarm = CollapseAlarm(1.2, 0, two_classes=True)
    for step in range(4):
        assert alarm.look(step, ends) == {"effective_rank": pytest.approx(2)}
    alarm.look(10, COLLAPSED)
    alarm.look(20, COLLAPSED)
    with pytest.raises(TrainingError, match="collapsed"):
        alarm.look(30, COLLAPSED)


def test_the_collapse_alarm_lets_the_warm_up_pass() -> None:
    alarm = CollapseAlarm(1.2, warmup_steps=50)
    for step in (10, 20, 30, 40, 50, 60, 70):
        alarm.look(step, COLLAPSED)
    with pytest.raises(TrainingError, match="at step 80"):
        alarm.look(80, COLLAPSED)


def test_the_collapse_alarm_goes_on_from_its_state() -> None:
    first, second = CollapseAlarm(1.2, 0), CollapseAlarm(1.2, 0)
    first.look(10, COLLAPSED)
    first.look(20, COLLAPSED)
    second.load(first.state())
    with pytest.raises(TrainingError, match="collapsed"):
        second.look(30, COLLAPSED)


def test_a_monitor_without_parts_watches_nothing_and_never_stops() -> None:
    monitor = Monitor()
    ema = Ema(nn.Linear(1, 1), nn.Linear(1, 1), 0.5)
    assert monitor.look(10, object()) == {}
    assert monitor.validate(ema) == {}
    assert not monitor.should_stop()
    assert monitor.best_weights() is None


def test_a_monitor_measures_the_averaged_model_and_keeps_its_best_weights() -> None:
    trained = nn.Linear(1, 1, bias=False)
    ema = Ema(nn.Linear(1, 1, bias=False), trained, 0.0)
    monitor = Monitor(validation=Validation("weight", lambda model: model.weight.item()), patience=1)
    for value in (2.0, 1.0):
        assert not monitor.should_stop()
        trained.weight.data.fill_(value)
        ema.update(trained)
        assert monitor.validate(ema) == {"validation_weight": value}
    assert monitor.should_stop()
    best = monitor.best_weights()
    assert best is not None
    assert best["weight"].item() == 2.0


def test_a_monitor_goes_on_from_the_state_of_all_its_parts() -> None:
    def monitor() -> Monitor:
        return Monitor(CollapseAlarm(1.2, 0), Validation("figure", lambda _: 0.5), patience=2)

    first, second = monitor(), monitor()
    ema: Ema[Any] = Ema(nn.Linear(1, 1), nn.Linear(1, 1), 0.5)
    for step in (1, 2):
        first.look(step, COLLAPSED)
        first.validate(ema)
    second.load(first.state())
    second.validate(ema)
    assert second.should_stop()
    with pytest.raises(TrainingError, match="collapsed"):
        second.look(3, COLLAPSED)
