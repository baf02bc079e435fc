from __future__ import annotations

from discern.releases.past import best_of_the_past


def test_the_best_in_each_figure_is_chosen_once() -> None:
    stated = {
        "new": {"tpir": 0.8, "tnir": 0.9, "recall_at_1": 0.9},
        "middle": {"tpir": 0.9, "tnir": 0.9, "recall_at_1": 0.95},
        "old": {"tpir": 0.9, "tnir": 0.95},
    }
    assert best_of_the_past(stated) == ["middle", "old"]


def test_a_release_that_states_nothing_is_not_chosen() -> None:
    assert best_of_the_past({"old": {}}) == []
    assert best_of_the_past({}) == []
