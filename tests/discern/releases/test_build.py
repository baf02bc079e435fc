from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from discern.errors import PublicationError
from discern.releases.build import CatalogueClass, build_release
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Calibrator, DecisionRule, Identifier
from edge_runtime.core.images import Preprocessing, encode_jpeg
from edge_runtime.core.release import FILES, MANIFEST_FILE, Lineage, Release, open_release
from tests.edge_runtime.toy_release import COLOURS, PREPROCESSING, RULE, build_toy, embed, photo, square, write_model


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a good release is built from."""
    onnx = write_model(tmp_path_factory.mktemp("model") / "model.onnx")
    pictures = [square(colour, seed) for colour in COLOURS.values() for seed in range(2)]
    return {
        "name": "squares",
        "onnx": onnx,
        "preprocessing": PREPROCESSING,
        "vectors": embed(OnnxEmbedder(onnx, PREPROCESSING), pictures),
        "class_ids": np.repeat(np.arange(5), 2),
        "classes": [CatalogueClass(label, encode_jpeg(square(colour))) for label, colour in COLOURS.items()],
        "rule": RULE,
        "golden": [photo(COLOURS["red"]), photo(COLOURS["blue"])],
        "metrics": {"recall_at_1": 0.93},
        "lineage": Lineage(git_commit="abc"),
    }


def test_a_release_is_whole_and_answers(parts: dict[str, Any], tmp_path: Path) -> None:
    release = build_release(tmp_path / "new" / "release", **parts)
    assert {path.name for path in release.folder.iterdir()} == {MANIFEST_FILE, *FILES}
    assert open_release(release.folder, release.id).manifest.metrics == {"recall_at_1": 0.93}
    assert release.manifest.decision.model_dump() == {"threshold": 0.97, "margin": 0.005, "fpir": 0.01}
    assert release.manifest.lineage.git_commit == "abc"
    for label, colour in COLOURS.items():
        assert Identifier(release).identify(photo(colour, 9)).label == label
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["release"]


def test_rows_may_come_in_any_order(parts: dict[str, Any], tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(10)
    shuffled = {**parts, "vectors": parts["vectors"][order], "class_ids": parts["class_ids"][order]}
    identifier = Identifier(build_release(tmp_path / "release", **shuffled))
    for label, colour in COLOURS.items():
        assert identifier.identify(photo(colour, 9)).label == label


def test_the_same_parts_give_the_same_files(tmp_path: Path) -> None:
    one, two = build_toy(tmp_path / "one"), build_toy(tmp_path / "two")
    assert one.manifest.files == two.manifest.files


def vectors_with(parts: dict[str, Any], value: float) -> np.ndarray[Any, Any]:
    vectors = parts["vectors"].copy()
    vectors[3] = value
    return np.asarray(vectors)


WRONG: dict[str, tuple[Any, str]] = {
    "no classes": (lambda _: {"classes": [], "class_ids": [], "vectors": np.empty((0, 8))}, "has no classes"),
    "label twice": (lambda p: {"classes": [p["classes"][0]] * 5}, "names 'red' twice"),
    "class without a photo": (lambda _: {"class_ids": np.repeat([0, 1, 2, 3, 3], 2)}, "'white' has no gallery photo"),
    "class outside": (lambda _: {"class_ids": np.repeat([0, 1, 2, 3, 5], 2)}, "outside the catalogue of 5"),
    "a class id too few": (lambda p: {"class_ids": p["class_ids"][1:]}, "10 embeddings but 9 class ids"),
    "not a number": (lambda p: {"vectors": vectors_with(p, np.nan)}, r"gallery row 3 \(class 1\) is not finite"),
    "not unit length": (lambda p: {"vectors": p["vectors"] * 2}, "not of unit length"),
    "other dimension": (lambda _: {"vectors": np.eye(10, 6, dtype=np.float32)[[0, 1, 2, 3, 4] * 2]}, "6"),
    "thumbnail": (lambda p: {"classes": [CatalogueClass("red", b"no"), *p["classes"][1:]]}, "thumbnail of class 'red'"),
    "no golden": (lambda _: {"golden": []}, "no golden images"),
    "bad golden": (lambda _: {"golden": [b"no"]}, "golden image 0 is not a picture"),
    "metric": (lambda _: {"metrics": {"auroc": float("nan")}}, "auroc is nan"),
    "threshold": (lambda _: {"rule": DecisionRule(float("inf"), 0, 0.1)}, r"rule\.threshold is inf"),
    "margin": (lambda _: {"rule": DecisionRule(0.5, -1, 0.1)}, r"decision\.margin"),
    "calibrator": (lambda _: {"calibrator": Calibrator(float("nan"), 1, 0)}, r"calibrator\.score is nan"),
    "size": (lambda _: {"preprocessing": Preprocessing(32)}, r"\[n, 32, 32, 3\] is needed"),
    "model": (lambda _: {"onnx": Path("/nowhere.onnx")}, "No such file"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_and_nothing_is_left(parts: dict[str, Any], tmp_path: Path, what: str) -> None:
    change, says = WRONG[what]
    with pytest.raises(PublicationError, match=says) as caught:
        build_release(tmp_path / "release", **{**parts, **change(parts)})
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_release_is_never_written_over(toy_release: Release, parts: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match="exists already: a release is never changed"):
        build_release(toy_release.folder, **parts)
    assert open_release(toy_release.folder, toy_release.id)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PublicationError, match="exists already"):
        build_release(tmp_path / "file", **parts)
    (tmp_path / "empty").mkdir()
    assert build_release(tmp_path / "empty", **parts).folder == tmp_path / "empty"
