from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import PhotoSet, load_photos
from discern.errors import TrainingError
from discern.learning.batches import BatchSampler, PKSampler, Views, step_generator
from discern.learning.config import AugmentConfig
from discern.learning.hard_classes import HardClasses
from tests.discern import toy

CPU = torch.device("cpu")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=12),
    st.integers(2, 6),
    st.integers(0, 1000),
    st.integers(0, 10**9),
)
def test_a_batch_has_p_classes_with_k_photos_each(sizes: list[int], k: int, step: int, seed: int) -> None:
    ids = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)) * 7, sizes))
    p = min(len(sizes), 4)
    batch = BatchSampler(ids, p, k, seed).batch(step)
    assert batch.shape == (p * k,)
    classes = ids[batch].reshape(p, k)
    assert (classes == classes[:, :1]).all()
    assert len(set(classes[:, 0].tolist())) == p
    for row, number in zip(batch.reshape(p, k), classes[:, 0], strict=True):
        distinct = len(set(row.tolist()))
        # All photos differ where the class has enough of them.
        assert distinct == k or (ids == number).sum() < k


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    ids = np.repeat(np.arange(10), 8)
    sampler = BatchSampler(ids, 4, 4, seed=5)
    tenth = sampler.batch(10).tolist()
    for step in (3, 99, 0):
        sampler.batch(step)
    np.random.seed(0)
    torch.manual_seed(0)
    assert sampler.batch(10).tolist() == tenth
    assert BatchSampler(ids, 4, 4, seed=5).batch(10).tolist() == tenth
    assert sampler.batch(11).tolist() != tenth
    assert BatchSampler(ids, 4, 4, seed=6).batch(10).tolist() != tenth


def test_every_photo_has_its_turn() -> None:
    sampler = BatchSampler(np.repeat(np.arange(6), 5), 3, 2, seed=0)
    drawn = np.concatenate([sampler.batch(step) for step in range(200)])
    counts = np.bincount(drawn, minlength=30)
    assert counts.min() > 0.5 * counts.mean()
    assert counts.max() < 1.7 * counts.mean()


def test_a_class_of_one_photo_gives_it_several_times_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    batch = BatchSampler([0, 1, 1, 1, 1], 2, 4, seed=0).batch(0)
    assert sorted(batch.tolist()) == [0, 0, 0, 0, 1, 2, 3, 4]
    assert caplog.messages == [
        "1 of 2 training classes have fewer than photos_per_class = 4 photos and give some of them twice: add photos, "
        "or lower it."
    ]


def test_classes_with_enough_photos_are_not_talked_about(caplog: pytest.LogCaptureFixture) -> None:
    BatchSampler([0, 0, 1, 1], 2, 2, seed=0)
    assert caplog.messages == []


def test_where_fewer_classes_train_a_batch_takes_all_of_them_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sampler = BatchSampler([0, 0, 5, 5], 24, 2, seed=0)
    assert sampler.classes_per_batch == 2
    for step in range(3):
        assert sorted(sampler.batch(step).tolist()) == [0, 1, 2, 3]
        assert sorted(sampler.batch(step, HardClasses(2, 4, 0.5, seed=0)).tolist()) == [0, 1, 2, 3]
    assert caplog.messages == [
        "There are 2 training classes, fewer than classes_per_batch = 24: every batch takes all of them."
    ]


def test_one_class_cannot_be_told_apart_from_anything() -> None:
    with pytest.raises(TrainingError, match=r"has 1 class, .* 2 at least: .*, or train nothing by `teacher: none`"):
        BatchSampler([5, 5], 3, 2, seed=0)


def test_augmentations_of_a_step_depend_on_seed_and_step_alone() -> None:
    def draw(seed: int, step: int) -> list[float]:
        numbers: list[float] = torch.rand(3, generator=step_generator(seed, step, CPU)).tolist()
        return numbers

    assert draw(1, 2) == draw(1, 2)
    assert len({tuple(draw(seed, step)) for seed in range(5) for step in range(5)}) == 25


def test_classes_are_numbered_in_sorted_order() -> None:
    photos = PhotoSet(np.zeros((4, 8, 8, 3), np.uint8), ("b", "a", "c", "a"))
    ids, names = photos.class_ids()
    assert ids.tolist() == [1, 0, 2, 0]
    assert names == ["a", "b", "c"]
    assert ids.dtype == np.int64


def test_photos_are_decoded_as_the_device_does_and_in_order(toy_version: DatasetVersion) -> None:
    part = toy_version.select(split="test")
    photos = load_photos(part, toy.PREPROCESSING)
    assert photos.labels == tuple(part.column("label"))
    assert photos.pixels.shape == (len(part), 32, 32, 3)
    for row in range(len(part)):
        np.testing.assert_array_equal(photos.pixels[row], toy.PREPROCESSING.apply(part.pixels(row)))


def test_decoding_in_threads_leaves_the_warning_filters_as_they_were(toy_version: DatasetVersion) -> None:
    before = list(warnings.filters)
    for _ in range(5):
        load_photos(toy_version, toy.PREPROCESSING)
        assert list(warnings.filters) == before


def test_no_photos_are_no_error(toy_version: DatasetVersion) -> None:
    photos = load_photos(toy_version.select(labels=["nothing"]), toy.PREPROCESSING)
    assert photos.pixels.shape == (0, 32, 32, 3)
    assert photos.labels == ()


def letters() -> PhotoSet:
    """Two photos whose four corners all differ."""
    pixels = np.zeros((2, 6, 6, 3), np.uint8)
    pixels[:, 0, 0], pixels[:, 0, -1], pixels[:, -1, 0] = 10, 20, 30
    pixels[1] += 100
    return PhotoSet(pixels, ("a", "b"))


def corners(view: np.ndarray) -> list[int]:
    return [int(view[y, x, 0]) for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1))]


def test_every_turn_of_a_class_is_a_class_of_its_own() -> None:
    views = Views.of(letters(), "dihedral")
    assert len(views) == 16
    assert views.class_ids().tolist() == list(range(16))
    seen = [corners(view) for view in views.pixels(np.arange(8))]
    assert len({tuple(corner) for corner in seen}) == 8
    assert seen[0] == [10, 20, 30, 0]
    assert seen[1] == [20, 0, 10, 30]  # a quarter counterclockwise: what was at the right is on top
    assert seen[2] == [0, 30, 20, 10]
    assert seen[4] == [20, 10, 0, 30]  # mirrored
    assert seen[5] == [10, 30, 20, 0]  # mirrored, then a quarter


def test_rotations_leave_out_the_mirror_and_none_leaves_the_photo() -> None:
    dihedral, rotations = Views.of(letters(), "dihedral"), Views.of(letters(), "rotations")
    np.testing.assert_array_equal(rotations.pixels(np.arange(4)), dihedral.pixels(np.arange(4)))
    assert len(rotations) == 8
    plain = Views.of(letters(), "none")
    np.testing.assert_array_equal(plain.pixels(np.array([1, 0])), letters().pixels[[1, 0]])
    assert plain.class_ids().tolist() == [0, 1]


def test_views_leave_the_photos_as_they_are() -> None:
    photos = letters()
    before = photos.pixels.copy()
    Views.of(photos, "dihedral").pixels(np.arange(16))
    np.testing.assert_array_equal(photos.pixels, before)


def test_a_batch_with_lookalikes_is_one_of_neighbours() -> None:
    sampler = BatchSampler(np.repeat(np.arange(40), 3), 8, 2, seed=1)
    near = HardClasses(40, 8, 0.5, seed=0)
    first = sampler.batch(5, near).tolist()
    assert sampler.batch(5, near).tolist() == first
    assert len({view // 3 for view in first}) == 8
    assert sampler.batch(5).tolist() != first


def pk_sampler(process: int = 0, **changes: object) -> PKSampler:
    config = toy.config(augment=AugmentConfig(), **changes)
    return PKSampler(Views.of(toy.photo_set(8), config.symmetries), config, CPU, process)


def test_a_batch_of_the_sampler_has_changed_photos_with_their_classes() -> None:
    batch = pk_sampler(symmetries="rotations").batch(3)
    assert batch.images.shape == (16, 3, 32, 32)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= batch.images.min() < batch.images.max() <= 1
    views = Views.of(toy.photo_set(8), "rotations")
    assert batch.labels.tolist() == views.class_ids()[batch.views.numpy()].tolist()
    assert batch.photos == [view // 4 for view in batch.views.tolist()]
    unchanged = torch.from_numpy(views.pixels(batch.views.numpy())).permute(0, 3, 1, 2) / 255
    distance = (batch.images[:, None] - unchanged[None]).abs().mean((2, 3, 4))
    assert (distance.diagonal() < 0.3).all()
    assert distance.diagonal().min() > 0.005


def test_a_batch_of_the_sampler_depends_on_seed_step_and_process_alone() -> None:
    batches = [
        pk_sampler().batch(5),
        pk_sampler().batch(6),
        pk_sampler(seed=1).batch(5),
        pk_sampler(process=1).batch(5),
    ]
    assert len({batch.images.sum().item() for batch in batches}) == 4
    assert torch.equal(pk_sampler().batch(5).images, batches[0].images)


def test_the_sampler_learns_the_hard_classes_and_goes_on_from_its_state() -> None:
    first, second = pk_sampler(lookalikes=0.5), pk_sampler(lookalikes=0.5)
    for step in range(6):
        batch = first.batch(step)
        first.learn(torch.eye(8, 16)[batch.labels // 2 * 2], batch)  # two classes each are alike
    assert first.hard_classes is not None
    assert len({tuple(first.batch(step).labels.tolist()) for step in range(20)}) > 1
    assert any(first.batch(step).views.tolist() != second.batch(step).views.tolist() for step in range(20))
    second.load({name: tensor.clone() for name, tensor in first.state().items()})
    assert all(first.batch(step).views.tolist() == second.batch(step).views.tolist() for step in range(20))


def test_without_lookalikes_the_sampler_has_no_state() -> None:
    sampler = pk_sampler()
    batch = sampler.batch(0)
    sampler.learn(torch.rand(16, 16), batch)
    assert sampler.state() == {}
    sampler.load({})
    assert torch.equal(sampler.batch(0).images, batch.images)
