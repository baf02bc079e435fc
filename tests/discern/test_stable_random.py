from __future__ import annotations

from discern.stable_random import stable_random, stable_sort_key


def test_the_numbers_stay_what_they_were_when_the_first_data_sets_were_split() -> None:
    assert stable_random(0, "class", "a") == 0.147020518810562
    assert stable_random(7, "photo", "é") == 0.5681224222128648
    assert stable_sort_key(3, "Greek").hex() == "895d8b3ee1857294111f1c9fe32d0942"


def test_a_number_depends_on_seed_purpose_and_key() -> None:
    numbers = [stable_random(seed, purpose, key) for seed in (0, 1) for purpose in "ab" for key in ("", "a", "b")]
    assert len(set(numbers)) == len(numbers)


def test_the_numbers_are_uniform() -> None:
    numbers = [stable_random(0, "class", str(i)) for i in range(2000)]
    assert all(0 <= number < 1 for number in numbers)
    assert all(150 < sum(low <= 10 * number < low + 1 for number in numbers) < 250 for low in range(10))


def test_what_a_sort_key_draws_first_stays_in_front_when_keys_join() -> None:
    keys = [str(i) for i in range(100)]
    drawn = sorted(keys, key=lambda key: stable_sort_key(1, key))
    assert [key for key in drawn if key in keys[:50]] == sorted(keys[:50], key=lambda key: stable_sort_key(1, key))
    assert drawn != sorted(keys, key=lambda key: stable_sort_key(2, key))
