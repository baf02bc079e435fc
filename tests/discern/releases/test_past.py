from __future__ import annotations

from discern.releases.past import best_of_the_past


def test_the_best_in_each_figure_is_chosen_once() -> None:
    stated = {
        "new": {"tpir": 0.8, "tnir": 0.9, "recall_at_1": 0.9},
        "middle": {"tpir": 0.9, "tnir": 0.9, "recall_at_1": 0.95},
        "old": {"tpir": 0.9, "tnir": 0.95},
    }
    assert best_of_the_past(stated) == ["middle", "old"]


def test_every_figure_that_a_candidate_must_keep_is_looked_at() -> None:
    stated = {
        "new": {"tpir": 0.8, "tnir": 0.9, "recall_at_1": 0.9, "precision": 0.7, "recall": 0.8, "accuracy": 0.85},
        "precise": {"tpir": 0.7, "tnir": 0.8, "recall_at_1": 0.8, "precision": 0.99, "recall": 0.7, "accuracy": 0.8},
        "accurate": {"accuracy": 0.9, "recall": 0.8},
    }
    assert best_of_the_past(stated) == ["accurate", "precise", "new"]


def test_a_release_that_states_nothing_is_not_chosen() -> None:
    assert best_of_the_past({"old": {}}) == []
    assert best_of_the_past({}) == []
