from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pytorch_metric_learning import distances, losses
from torch import Tensor, nn
from torch.nn import functional

from discern.errors import ConfigError
from discern.learning.config import DistillConfig, NamedPart
from discern.learning.losses import (
    DistillationLoss,
    EmbeddedViews,
    EmbeddingObjective,
    LabelledBatch,
    MetricLoss,
    SameImages,
    similarity_divergence,
)

LABELS = torch.arange(4).repeat_interleave(3)
PHOTOS = torch.arange(12)
IMAGES = torch.rand(12, 3, 4, 4, generator=torch.Generator().manual_seed(3))
BATCH = LabelledBatch(IMAGES, LABELS, PHOTOS)
PROXY_LOSSES = [
    "ArcFaceLoss",
    "CosFaceLoss",
    "LargeMarginSoftmaxLoss",
    "NormalizedSoftmaxLoss",
    "P2SGradLoss",
    "ProxyAnchorLoss",
    "ProxyNCALoss",
    "SoftTripleLoss",
    "SphereFaceLoss",
    "SubCenterArcFaceLoss",
]


def unit(count: int = 12, dim: int = 8, seed: int = 0) -> Tensor:
    return functional.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def objective(name: str, miner: str | None = None, **parameters: object) -> MetricLoss:
    part = None if miner is None else NamedPart(name=miner)
    return MetricLoss(NamedPart(name=name, parameters=parameters), part, 4, 8)


def test_a_loss_is_the_librarys_with_the_parameters_given() -> None:
    ours = objective("SupConLoss", temperature=0.3)(unit(), BATCH)
    torch.testing.assert_close(ours, losses.SupConLoss(temperature=0.3)(unit(), LABELS))
    assert not torch.allclose(ours, objective("SupConLoss", temperature=0.1)(unit(), BATCH))


def test_a_miner_chooses_what_the_loss_sees() -> None:
    hardest = objective("TripletMarginLoss", "BatchHardMiner")(unit(), BATCH)
    everything = objective("TripletMarginLoss")(unit(), BATCH)
    assert hardest > everything > 0


@pytest.mark.parametrize("name", PROXY_LOSSES)
def test_a_loss_with_proxies_gets_their_number_and_learns_them(name: str) -> None:
    part = objective(name)
    proxies = list(part.parameters())
    assert proxies
    embeddings = unit().requires_grad_()
    part(embeddings, BATCH).backward()
    assert all(proxy.grad is not None and proxy.grad.abs().sum() > 0 for proxy in proxies)
    assert embeddings.grad is not None


def test_what_the_config_says_of_proxies_wins() -> None:
    part = objective("ProxyAnchorLoss", num_classes=9)
    assert next(part.parameters()).shape == (9, 8)


def test_an_unknown_loss_is_answered_with_near_names() -> None:
    with pytest.raises(ConfigError, match=r"no loss 'SupConLos': did you mean 'SupConLoss'"):
        objective("SupConLos")


def test_an_unknown_miner_is_answered_with_near_names() -> None:
    with pytest.raises(ConfigError, match=r"no miner 'BatchHard': did you mean 'BatchHardMiner"):
        objective("SupConLoss", "BatchHard")


@pytest.mark.parametrize(
    "name", ["zzz", "BaseMetricLossFunction", "WeightRegularizerMixin", "torch", "__builtins__", "MultipleLosses"]
)
def test_what_is_no_loss_is_not_one(name: str) -> None:
    with pytest.raises(ConfigError, match=f"has no loss '{name}'"):
        objective(name)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("SupConLoss", {"temprature": 0.1}),
        ("ArcFaceLoss", {"temprature": 0.1}),
        ("PNPLoss", {"variant": "Z"}),
        ("ManifoldLoss", {}),
    ],
)
def test_parameters_that_do_not_fit_are_an_error(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"The loss {name} does not take these `parameters` \(.+\): see"):
        objective(name, **parameters)


def test_equal_similarities_diverge_by_nothing() -> None:
    torch.testing.assert_close(similarity_divergence(unit(), unit(), 0.1), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_a_turned_space_has_the_same_similarities() -> None:
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(2))).Q
    torch.testing.assert_close(similarity_divergence(unit() @ turn, unit(), 0.1), torch.tensor(0.0), atol=1e-5, rtol=0)


def test_the_divergence_of_three_points_is_the_one_worked_by_hand() -> None:
    root = math.sqrt(0.5)
    teacher = torch.tensor([[1.0, 0.0], [root, root], [0.0, 1.0]])
    student = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    # Rows without the point itself, at temperature 1. Teacher: (root, 0), (root, root), (0, root).
    # Student: (0, 1), (0, 0), (1, 0). A row (a, b) becomes (e^a, e^b) / (e^a + e^b).
    p = math.exp(root) / (math.exp(root) + 1)
    q = 1 / (1 + math.e)
    outer = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert similarity_divergence(student, teacher, 1.0).item() == pytest.approx(2 * outer / 3, rel=1e-5)


def test_the_divergence_is_never_below_zero_and_pulls_the_student() -> None:
    student = unit(seed=1).requires_grad_()
    divergence = similarity_divergence(student, unit(dim=16, seed=2), 0.1)  # the teacher may have another width
    assert divergence > 0
    divergence.backward()
    assert student.grad is not None
    assert student.grad.abs().sum() > 0


def distilled(config: DistillConfig, teacher: Tensor, student: Tensor, photos: Tensor) -> float:
    part = DistillationLoss(EmbeddedViews(teacher), config, objective("SupConLoss"))
    return float(part(student, LabelledBatch(IMAGES, LABELS, photos)))


def test_a_student_that_embeds_like_its_teacher_loses_nothing() -> None:
    assert distilled(DistillConfig(), unit(), unit(), PHOTOS) == pytest.approx(0, abs=1e-5)


def test_the_teachers_rows_are_those_of_the_photos() -> None:
    teacher = unit(40)
    photos = torch.arange(39, 27, -1)
    assert distilled(DistillConfig(), teacher, teacher[photos], photos) == pytest.approx(0, abs=1e-5)
    assert distilled(DistillConfig(), teacher, teacher[:12], photos) > 1


def test_every_term_has_its_weight() -> None:
    student, teacher = unit(seed=1), unit(seed=2)
    cosine = float((1 - (student * teacher).sum(1)).mean())
    divergence = float(similarity_divergence(student, teacher, 0.2))
    metric = float(objective("SupConLoss")(student, BATCH))
    config = DistillConfig(cosine=2, similarity=3, temperature=0.2, metric=4)
    wanted = 2 * cosine + 3 * divergence + 4 * metric
    assert distilled(config, teacher, student, PHOTOS) == pytest.approx(wanted, rel=1e-5)


def test_proxies_are_learned_only_where_labels_count() -> None:
    proxies = objective("ProxyAnchorLoss")
    assert list(DistillationLoss(EmbeddedViews(unit()), DistillConfig(), proxies).parameters()) == []
    assert len(list(DistillationLoss(EmbeddedViews(unit()), DistillConfig(metric=1), proxies).parameters())) == 1


def test_the_teachers_embeddings_are_in_no_checkpoint() -> None:
    assert DistillationLoss(EmbeddedViews(unit()), DistillConfig(), objective("SupConLoss")).state_dict() == {}


class _Pixels(torch.nn.Module):
    """Embeds an image by its first pixels, and not to unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(3.0))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :8] * self.scale


def test_a_teacher_of_the_same_images_embeds_what_the_student_sees() -> None:
    teacher = SameImages(_Pixels(), "no")
    wanted = functional.normalize(IMAGES.flatten(1)[:, :8], dim=1)
    torch.testing.assert_close(teacher(BATCH), wanted)
    part = DistillationLoss(teacher, DistillConfig(), objective("SupConLoss"))
    assert float(part(wanted, BATCH)) == pytest.approx(0, abs=1e-5)
    other = LabelledBatch(IMAGES.flip(0), LABELS, PHOTOS)
    assert float(part(wanted, other)) > 1


def test_a_teacher_of_the_same_images_is_neither_trained_nor_saved() -> None:
    teacher = _Pixels()
    part = DistillationLoss(SameImages(teacher, "no"), DistillConfig(), objective("SupConLoss"))
    assert list(part.parameters()) == []
    assert part.state_dict() == {}
    student = unit().requires_grad_()
    part(student, BATCH).backward()
    assert teacher.scale.grad is None


def test_a_teacher_of_the_same_images_stays_as_and_where_it_is() -> None:
    teacher = _Pixels().train()
    part = SameImages(teacher, "no")
    part.hidden[0].to("meta")
    assert teacher.scale.device.type == "cpu"
    assert teacher.training
    assert not part.hidden[0].training


def test_a_teacher_in_bfloat16_says_almost_the_same() -> None:
    exact, short = SameImages(_Pixels(), "no")(BATCH), SameImages(_Pixels(), "bf16")(BATCH)
    assert short.dtype == torch.float32
    torch.testing.assert_close(short, exact, atol=0.02, rtol=0)


def test_a_loss_measures_by_the_distance_given() -> None:
    part = NamedPart(
        name="TripletMarginLoss",
        distance=NamedPart(name="LpDistance", parameters={"p": 1, "normalize_embeddings": False}),
    )
    ours = MetricLoss(part, None, 4, 8)(unit(), BATCH)
    theirs = losses.TripletMarginLoss(distance=distances.LpDistance(p=1, normalize_embeddings=False))(unit(), LABELS)
    torch.testing.assert_close(ours, theirs)
    assert not torch.allclose(ours, objective("TripletMarginLoss")(unit(), BATCH))


def test_a_miner_takes_a_distance_too() -> None:
    miner = NamedPart(name="BatchHardMiner", distance=NamedPart(name="CosineSimilarity"))
    part = MetricLoss(NamedPart(name="TripletMarginLoss"), miner, 4, 8)
    assert part(unit(), BATCH) > 0


def test_an_unknown_distance_is_an_error_with_the_nearest_names() -> None:
    part = NamedPart(name="TripletMarginLoss", distance=NamedPart(name="CosinSimilarity"))
    with pytest.raises(ConfigError, match="no distance 'CosinSimilarity': did you mean 'CosineSimilarity"):
        MetricLoss(part, None, 4, 8)


def test_the_objective_of_an_embedder_is_its_loss_in_float32() -> None:
    types = []

    class Loss(nn.Module):
        def forward(self, embeddings: Tensor, batch: LabelledBatch) -> Tensor:
            types.append(embeddings.dtype)
            return embeddings.sum() + batch.labels.sum()

    value = EmbeddingObjective(Loss())(unit().bfloat16(), BATCH)
    assert types == [torch.float32]
    assert value.item() == pytest.approx((unit().bfloat16().float().sum() + LABELS.sum()).item())


def test_a_batch_names_the_photos_of_its_views() -> None:
    assert LabelledBatch(torch.zeros(0), LABELS[:4], torch.tensor([0, 7, 8, 31]), turns=8).photos == [0, 0, 1, 3]
