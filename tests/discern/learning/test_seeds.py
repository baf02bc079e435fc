from __future__ import annotations

from itertools import product

from discern.learning.seeds import AUGMENTATION, LEARNING, process_seed, step_seed


def test_every_stream_of_every_step_of_every_seed_differs() -> None:
    seeds = {step_seed(*each) for each in product((0, 1, 2**32 - 1), range(50), (AUGMENTATION, LEARNING))}
    assert len(seeds) == 3 * 50 * 2
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_stays_what_it_was() -> None:
    """A checkpoint of yesterday goes on with the same draws."""
    assert step_seed(3, 7, AUGMENTATION) == 888946925548604815
    assert step_seed(3, 7, LEARNING) == 1016266665476324714


def test_processes_have_seeds_of_their_own_and_the_first_the_trainings() -> None:
    assert process_seed(5, 0) == 5
    assert len({process_seed(seed, process) for seed in range(100) for process in range(8)}) == 800
