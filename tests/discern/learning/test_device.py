from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from discern.errors import TrainingError
from discern.learning.device import accelerator, is_depthwise, mixed_precision
from tests.discern import toy

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def test_a_precision_that_is_named_is_taken() -> None:
    assert mixed_precision(toy.config(mixed_precision="no")) == "no"
    assert mixed_precision(toy.config(mixed_precision="bf16")) == "bf16"


@needs_no_gpu
@pytest.mark.parametrize(
    ("abilities", "wanted"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True, "avx512_bf16": False}, "no")],
)
def test_a_processor_gets_bfloat16_only_where_it_multiplies_it(
    abilities: dict[str, bool], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    assert mixed_precision(toy.config(mixed_precision="auto")) == wanted


@needs_no_gpu
def test_what_is_not_there_is_an_error_with_its_mend() -> None:
    with pytest.raises(TrainingError, match=r"`device: gpu` needs a GPU.*none here: use `auto` or `cpu`"):
        accelerator(toy.config(device="gpu"))
    with pytest.raises(TrainingError, match="fp16` needs a GPU"):
        accelerator(toy.config(mixed_precision="fp16"))


def test_the_cpu_is_taken_where_it_is_asked_for() -> None:
    assert accelerator(toy.config(device="cpu")).device.type == "cpu"
    with pytest.raises(TrainingError, match="fp16` needs a GPU"):
        accelerator(toy.config(device="cpu", mixed_precision="fp16"))


@needs_no_gpu
@pytest.mark.parametrize(
    ("backbone", "wanted"),
    [
        ("mobilenetv3_small_050", "no"),
        ("tf_efficientnet_lite0", "no"),
        ("mobilenetv2_050", "no"),
        ("resnet10t", "bf16"),
    ],
)
def test_a_depthwise_net_computes_in_float32_on_a_cpu(
    backbone: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    with torch.device("meta"):
        model = timm.create_model(backbone)
    assert mixed_precision(toy.config(mixed_precision="auto"), model) == wanted
    assert mixed_precision(toy.config(mixed_precision="bf16"), model) == "bf16"


def test_a_net_whose_convolutions_are_grouped_but_see_several_channels_is_not_depthwise() -> None:
    assert not is_depthwise(nn.Sequential(nn.Conv2d(3, 32, 3), nn.Conv2d(32, 32, 3, groups=4)))
    assert not is_depthwise(nn.Linear(3, 3))
    assert not is_depthwise(nn.Conv2d(1, 8, 3))  # one channel is all there is
