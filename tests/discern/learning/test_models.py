from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import boto3
import pytest
import timm
import torch
from huggingface_hub import constants as hub
from safetensors.torch import save, save_file
from torch import Tensor, nn

from discern.errors import TrainingError
from discern.learning import models
from discern.learning.config import ModelConfig
from discern.learning.embedding import check_input
from discern.learning.models import (
    TorchEmbedder,
    count_multiply_adds,
    count_parameters,
    load_weights,
    memory_format,
    restored,
    weights_fingerprint,
)
from edge_runtime.core.images import Preprocessing
from tests.discern.toy import BACKBONE, PREPROCESSING

CONFIG = ModelConfig(backbone=BACKBONE, embedding_dim=16)
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def model() -> TorchEmbedder:
    """An untrained model; not to be changed."""
    return TorchEmbedder(CONFIG, PREPROCESSING).eval()


@pytest.fixture
def hub_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Puts the hub at an address, with an empty cache on this machine."""

    def put(address: str) -> None:
        monkeypatch.setattr(hub, "ENDPOINT", address)
        monkeypatch.setattr(hub, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))

    return put


def test_embeddings_have_the_stated_length_and_norm_1(model: TorchEmbedder) -> None:
    vectors = model(torch.rand(5, 3, 32, 32))
    assert vectors.shape == (5, 16)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))


@pytest.mark.parametrize(
    "backbone", ["resnet10t", "mobilenetv3_small_050", "mobilenetv4_conv_small_050", "efficientnet_b0", "test_vit"]
)
def test_backbones_of_every_family_take_the_head(backbone: str) -> None:
    size = 160 if backbone == "test_vit" else 64
    vectors = TorchEmbedder(ModelConfig(backbone=backbone, embedding_dim=8), PREPROCESSING).eval()(
        torch.rand(1, 3, size, size)
    )
    assert vectors.shape == (1, 8)
    assert vectors.norm().item() == pytest.approx(1, abs=1e-5)


def test_normalisation_is_inside_the_model_and_not_among_the_weights(model: TorchEmbedder) -> None:
    grey = torch.tensor(models.IMAGENET_MEAN).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    seen: list[Tensor] = []
    handle = model.backbone.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    model(grey)
    handle.remove()
    torch.testing.assert_close(seen[0], torch.zeros(1, 3, 32, 32))
    assert {"mean", "std"}.isdisjoint(model.state_dict())


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv3_small_050"])
def test_a_small_stem_sees_twice_as_much_with_the_same_weights(backbone: str) -> None:
    standard = TorchEmbedder(ModelConfig(backbone=backbone), PREPROCESSING).eval()
    small = TorchEmbedder(ModelConfig(backbone=backbone, stem="small"), PREPROCESSING).eval()
    small.load_state_dict(standard.state_dict())
    photos = torch.rand(1, 3, 64, 64)
    shapes = [model.backbone.forward_features(photos).shape[2:] for model in (standard, small)]
    assert shapes[1][0] == 2 * shapes[0][0]
    assert count_parameters(small) == count_parameters(standard)
    assert count_multiply_adds(small, 64) > 2 * count_multiply_adds(standard, 64)


def test_a_small_stem_that_is_not_known_is_an_error() -> None:
    with pytest.raises(TrainingError, match=r"`stem: small` is not known for test_vit: use `stem: standard`"):
        TorchEmbedder(ModelConfig(backbone="test_vit", stem="small"), PREPROCESSING)


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(TrainingError, match=r"no model 'resnet81': did you mean '.*resnet\d+"):
        TorchEmbedder(ModelConfig(backbone="resnet81"), PREPROCESSING)
    with pytest.raises(TrainingError, match=r"no model 'qqqqqqqq': see timm\.list_models"):
        TorchEmbedder(ModelConfig(backbone="qqqqqqqq"), PREPROCESSING)


@pytest.mark.parametrize(
    ("backbone", "layout"),
    [
        ("resnet18", torch.channels_last),
        ("mobilenetv4_conv_small", torch.channels_last),
        ("repvgg_a0", torch.contiguous_format),
        ("mobileone_s0", torch.contiguous_format),
    ],
)
def test_channels_last_is_for_nets_that_bear_it(backbone: str, layout: torch.memory_format) -> None:
    assert memory_format(ModelConfig(backbone=backbone)) == layout


def test_weights_that_timm_does_not_know_of_are_one_sentence() -> None:
    with pytest.raises(TrainingError, match=r"^timm's resnet18\.foo cannot be made \([^\n]+$"):
        TorchEmbedder(ModelConfig(backbone="resnet18.foo"), PREPROCESSING)


def test_options_reach_timm() -> None:
    config = ModelConfig(backbone="resnet10t", options={"channels": [8, 16, 24, 32]}, embedding_dim=8)
    assert count_parameters(TorchEmbedder(config, PREPROCESSING)) < 100_000


@pytest.mark.parametrize(
    "options", [{"chanels": [8, 16, 24, 32]}, {"num_classes": 3}, {"channels": 8}, {"features_only": True}]
)
@pytest.mark.parametrize("pretrained", [False, True])
def test_options_that_do_not_fit_are_one_sentence(options: dict[str, Any], pretrained: bool) -> None:
    with pytest.raises(TrainingError, match=r"^timm's resnet10t does not take these `options` \([^\n]+$"):
        TorchEmbedder(ModelConfig(backbone="resnet10t", options=options, pretrained=pretrained), PREPROCESSING)


def test_multiply_adds_are_those_counted_by_hand(model: TorchEmbedder) -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)  # 25 positions x 8 channels x 27
            self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)  # 25 positions x 8 channels x 9
            self.tokens = nn.Linear(8, 4)  # 25 tokens x 8 x 4
            self.head = nn.Linear(4, 10)  # 4 x 10

        def forward(self, images: Tensor) -> Tensor:
            tokens = self.depthwise(self.conv(images)).flatten(2).transpose(1, 2)
            return self.head(self.tokens(tokens).mean(1))

    small: Any = Small().train()
    assert count_multiply_adds(small, 10) == 25 * 8 * 27 + 25 * 8 * 9 + 25 * 8 * 4 + 4 * 10
    assert small.training


def test_parameters_are_counted() -> None:
    assert count_parameters(nn.Linear(4, 10)) == 50


def test_counting_changes_nothing(model: TorchEmbedder) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert count_multiply_adds(model, 32) > 10**5
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_fingerprint_changes_with_config_preprocessing_and_weights(model: TorchEmbedder) -> None:
    def changed(config: ModelConfig = CONFIG, preprocessing: Preprocessing = PREPROCESSING, scale: float = 1.0) -> str:
        copy = restored(config, preprocessing, model.state_dict())
        copy.head.bias.data *= scale
        return copy.fingerprint()

    assert changed() == model.fingerprint()
    others = [
        changed(scale=1.01),
        changed(preprocessing=Preprocessing(33)),
        changed(preprocessing=Preprocessing(32, "stretch")),
        changed(config=CONFIG.model_copy(update={"stem": "small"})),
    ]
    assert len({model.fingerprint(), *others}) == 5


def test_a_model_forgets_where_its_weights_came_from(model: TorchEmbedder, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    loaded = TorchEmbedder(CONFIG.model_copy(update={"weights": str(tmp_path / "weights.pt")}), PREPROCESSING)
    assert loaded.config == CONFIG
    assert loaded.fingerprint() == model.fingerprint()


def test_weights_come_from_a_file(model: TorchEmbedder, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    again = TorchEmbedder(CONFIG.model_copy(update={"weights": str(tmp_path / "weights.pt")}), PREPROCESSING)
    assert _equal(again.state_dict(), model.state_dict())
    assert not _equal(TorchEmbedder(CONFIG, PREPROCESSING).state_dict(), model.state_dict())


@pytest.mark.parametrize("key", ["state_dict", "model", None])
def test_weights_come_from_a_training_scripts_checkpoint(model: TorchEmbedder, tmp_path: Path, key: str | None) -> None:
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save(state if key is None else {key: state, "epoch": torch.tensor(3)}, tmp_path / "weights.pt")
    again = TorchEmbedder(CONFIG.model_copy(update={"weights": str(tmp_path / "weights.pt")}), PREPROCESSING)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_why_weights_do_not_fit_is_a_short_sentence(model: TorchEmbedder, tmp_path: Path) -> None:
    torch.save({f"net.{name}": tensor for name, tensor in model.state_dict().items()}, tmp_path / "weights.pt")
    with pytest.raises(TrainingError, match="do not fit this model") as caught:
        load_weights(model, str(tmp_path / "weights.pt"))
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_weights_come_from_a_bucket(model: TorchEmbedder, tmp_path: Path, s3_environment: str) -> None:
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    client = boto3.client("s3")
    client.create_bucket(Bucket="weights-tests")
    client.upload_file(str(tmp_path / "weights.pt"), "weights-tests", "weights.pt")
    again = TorchEmbedder(CONFIG.model_copy(update={"weights": "s3://weights-tests/weights.pt"}), PREPROCESSING)
    assert _equal(again.state_dict(), model.state_dict())
    with pytest.raises(TrainingError, match="other cannot be read"):
        load_weights(TorchEmbedder(CONFIG, PREPROCESSING), "s3://weights-tests/other")


@pytest.mark.parametrize("backbone", [BACKBONE, "resnet10t"])
@pytest.mark.parametrize("name", ["timm.pt", "timm.safetensors"])
def test_weights_of_timms_fill_the_backbone_alone(backbone: str, name: str, tmp_path: Path) -> None:
    theirs = timm.create_model(backbone).state_dict()
    (save_file if name.endswith(".safetensors") else torch.save)(theirs, tmp_path / name)
    torch.manual_seed(0)
    bare = TorchEmbedder(ModelConfig(backbone=backbone), PREPROCESSING)
    torch.manual_seed(0)
    filled = TorchEmbedder(ModelConfig(backbone=backbone, weights=str(tmp_path / name)), PREPROCESSING)
    assert _equal(filled.backbone.state_dict(), {key: theirs[key] for key in bare.backbone.state_dict()})
    assert _equal(filled.head.state_dict(), bare.head.state_dict())


def test_weights_of_another_backbone_of_timms_do_not_fit(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "timm.pt")
    with pytest.raises(TrainingError, match=r"timm\.pt do not fit this model"):
        TorchEmbedder(CONFIG.model_copy(update={"weights": str(tmp_path / "timm.pt")}), PREPROCESSING)
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "timm.pt").read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"torn\.safetensors are damaged"):
        TorchEmbedder(CONFIG.model_copy(update={"weights": str(tmp_path / "torn.safetensors")}), PREPROCESSING)


def test_the_fingerprint_of_weights_is_that_of_the_files_content(tmp_path: Path) -> None:
    def mark(content: bytes, name: str) -> str:
        (tmp_path / name).write_bytes(content)
        return weights_fingerprint(CONFIG.model_copy(update={"weights": str(tmp_path / name)}))

    assert weights_fingerprint(CONFIG) == ""
    assert mark(b"one", "a.pt") == mark(b"one", "b.pt") != mark(b"two", "a.pt")
    with pytest.raises(TrainingError, match="cannot be read"):
        weights_fingerprint(CONFIG.model_copy(update={"weights": str(tmp_path / "missing.pt")}))


def test_weights_of_another_model_do_not_fit(model: TorchEmbedder, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(TrainingError, match=r"do not fit this model \(size mismatch for head.bias.*\): use the config"):
        load_weights(
            TorchEmbedder(CONFIG.model_copy(update={"embedding_dim": 32}), PREPROCESSING), str(tmp_path / "weights.pt")
        )
    with pytest.raises(TrainingError, match="do not fit this model"):
        load_weights(TorchEmbedder(ModelConfig(backbone="resnet10t"), PREPROCESSING), str(tmp_path / "weights.pt"))


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {"head.bias": "text"}, None])
def test_what_is_no_state_dict_does_not_fit(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(TrainingError, match=r"^[^\n]*weights\.pt do not fit this model[^\n]*$"):
        load_weights(TorchEmbedder(CONFIG, PREPROCESSING), str(tmp_path / "weights.pt"))


@pytest.mark.parametrize("place", ["missing.pt", "", "nowhere://bucket/weights.pt"])
def test_weights_that_are_not_there_are_one_sentence(model: TorchEmbedder, tmp_path: Path, place: str) -> None:
    url = place if ":" in place else str(tmp_path / place)
    with pytest.raises(TrainingError, match=r"^The weights \S+ cannot be read \([^\n]+\): name a file[^\n]*$"):
        load_weights(model, url)


def test_a_pickle_is_refused_and_not_run(model: TorchEmbedder, tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "done"),)

    torch.save({"head.bias": Malicious()}, tmp_path / "weights.pt")
    with pytest.raises(TrainingError, match=r"^[^\n]*are damaged, or hold more than tensors: [^\n]*$"):
        load_weights(model, str(tmp_path / "weights.pt"))
    assert not (tmp_path / "done").exists()


def test_half_a_file_of_weights_is_damaged(model: TorchEmbedder, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    data = (tmp_path / "weights.pt").read_bytes()
    (tmp_path / "weights.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(TrainingError, match="are damaged"):
        load_weights(model, str(tmp_path / "weights.pt"))


def test_pretrained_weights_out_of_reach_are_one_sentence_at_once(hub_at: Callable[[str], None]) -> None:
    hub_at("http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"of mobilenetv3_small_050 cannot be fetched .*: set `pretrained: false`"):
        TorchEmbedder(CONFIG.model_copy(update={"pretrained": True}), PREPROCESSING)
    assert time.monotonic() - started < 10  # the hub's own client takes 46 s
    assert not hub.HF_HUB_OFFLINE


def test_a_hub_that_never_answers_is_not_waited_for(
    hub_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "HUB_PATIENCE", 0.2)
    with create_server(("127.0.0.1", 0)) as silent:
        hub_at(f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(TrainingError, match="cannot be fetched"):
            TorchEmbedder(CONFIG.model_copy(update={"pretrained": True}), PREPROCESSING)
        assert time.monotonic() - started < 10


@pytest.fixture
def hub_server() -> Iterator[tuple[str, Weights]]:
    """A hub that offers weights of the backbone: its address, and the weights, which may be changed."""
    weights = {name: tensor.clone() for name, tensor in timm.create_model(BACKBONE).state_dict().items()}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            found = self.path in {"/", ""} or self.path.endswith("/model.safetensors")
            self.send_response(200 if found else 404)
            length = str(len(save(weights)))
            for name, value in {"ETag": '"e"', "X-Repo-Commit": "c" * 40, "Content-Length": length}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(save(weights))

        def log_message(self, *arguments: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", weights
    server.shutdown()
    server.server_close()
    thread.join()


def test_pretrained_weights_are_the_hubs(hub_at: Callable[[str], None], hub_server: tuple[str, Weights]) -> None:
    address, weights = hub_server
    hub_at(address)
    model = TorchEmbedder(CONFIG.model_copy(update={"pretrained": True}), PREPROCESSING)
    assert _equal(model.backbone.state_dict(), {name: weights[name] for name in model.backbone.state_dict()})
    hub_at("http://127.0.0.1:9")  # what was fetched once needs no hub
    again = TorchEmbedder(CONFIG.model_copy(update={"pretrained": True}), PREPROCESSING)
    assert _equal(again.backbone.state_dict(), model.backbone.state_dict())


def test_pretrained_weights_of_another_shape_do_not_fit(
    hub_at: Callable[[str], None], hub_server: tuple[str, Weights]
) -> None:
    address, weights = hub_server
    weights["conv_stem.weight"] = torch.zeros(24, 3, 3, 3)
    hub_at(address)
    with pytest.raises(
        TrainingError, match=r"do not fit its `options` \(size mismatch[^\n]+\): set `pretrained: false`"
    ):
        TorchEmbedder(CONFIG.model_copy(update={"pretrained": True}), PREPROCESSING)


def test_a_backbone_that_timm_has_no_weights_of_says_so(hub_at: Callable[[str], None]) -> None:
    hub_at("http://127.0.0.1:9")
    with pytest.raises(TrainingError, match=r"of resnet50_mlp do not exist.*\(No pretrained weights exist for \w+"):
        TorchEmbedder(ModelConfig(backbone="resnet50_mlp", pretrained=True), PREPROCESSING)


def _equal(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# Foundation models of their own names, so small that they are made in a moment.
SMALL_VIT: dict[str, Any] = {"embed_dim": 24, "depth": 1, "num_heads": 2}
FOUNDATION: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("vit_small_patch14_dinov2", SMALL_VIT, {"img_size": 56}),
    ("vit_base_patch16_siglip_224", SMALL_VIT, {"img_size": 64}),
    ("fastvit_mci0", {"layers": (1, 1, 1, 1), "embed_dims": (16, 16, 16, 32)}, {}),
]


@pytest.mark.parametrize(("backbone", "options", "size"), FOUNDATION)
def test_a_state_dict_of_timms_own_is_taken_at_another_size_of_photos(
    backbone: str, options: dict[str, Any], size: dict[str, Any], tmp_path: Path
) -> None:
    theirs = timm.create_model(backbone, num_classes=0, **options, **size).eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pt")
    config = ModelConfig(backbone=backbone, options={**options, **size}, weights=str(tmp_path / "weights.pt"))
    same = TorchEmbedder(config, Preprocessing(size.get("img_size", 64))).eval()
    assert _equal(same.backbone.state_dict(), theirs.state_dict())
    assert not same.has_head
    check_input(same)
    if not size:
        return
    other = Preprocessing(2 * size["img_size"])
    with pytest.raises(
        TrainingError, match=rf"{other.size} x {other.size} .*: say `options: {{img_size: {other.size}}}`"
    ):
        check_input(TorchEmbedder(config, other))
    mended = config.model_copy(update={"options": {**options, "img_size": other.size}})
    check_input(TorchEmbedder(mended, other))
