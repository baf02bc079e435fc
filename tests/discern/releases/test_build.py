from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from discern.errors import PublicationError
from discern.releases import build
from discern.releases.build import CatalogueClass, LocaliserParts, ReleaseParts, build_release
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.identify import Calibrator, DecisionRule, Identifier
from edge_runtime.core.images import Preprocessing, encode_jpeg
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.core.release import (
    FILES,
    LOCALISER_FILE,
    MANIFEST_FILE,
    GalleryEntry,
    Lineage,
    Release,
    open_release,
)
from edge_runtime.errors import ReleaseError
from tests.edge_runtime.toy_release import (
    CALIBRATOR,
    COLOURS,
    PREPROCESSING,
    RULE,
    embed,
    photo,
    read_manifest,
    square,
    write_model,
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> ReleaseParts:
    """The content of a good release, the toy release's."""
    onnx = write_model(tmp_path_factory.mktemp("model") / "model.onnx")
    pictures = [square(colour, seed) for colour in COLOURS.values() for seed in range(3)]
    return ReleaseParts(
        name="squares",
        onnx=onnx,
        preprocessing=PREPROCESSING,
        vectors=embed(OnnxEmbedder(onnx, PREPROCESSING), pictures),
        class_ids=np.repeat(np.arange(5), 3),
        classes=[CatalogueClass(label, encode_jpeg(square(colour))) for label, colour in COLOURS.items()],
        rule=RULE,
        golden=[photo(COLOURS[label], seed=50) for label in ("red", "green", "blue")],
        metrics={"recall_at_1": 1.0},
        lineage=Lineage(dataset_version="0123456789abcdef"),
        calibrator=CALIBRATOR,
        gallery=GalleryEntry(represent="exemplars", photos_per_class=3, splits=("validation", "test")),
        numeric_format="fp32",
    )


def test_a_built_release_is_whole_and_answers(parts: ReleaseParts, tmp_path: Path) -> None:
    release = build_release(tmp_path / "new" / "release", parts)
    assert {path.name for path in release.folder.iterdir()} == {MANIFEST_FILE, *FILES}
    assert release.folder.stat().st_mode & 0o777 == 0o755
    assert open_release(release.folder, release.id).manifest.metrics == {"recall_at_1": 1.0}
    for label, colour in COLOURS.items():
        assert Identifier(release).identify(photo(colour, 9)).label == label
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["release"]


def test_the_manifest_states_every_part(parts: ReleaseParts, tmp_path: Path) -> None:
    manifest = build_release(tmp_path / "release", parts).manifest
    assert manifest.decision.model_dump() == asdict(RULE)
    assert manifest.calibration is not None
    assert manifest.calibration.model_dump() == {"score": 40.0, "margin": 2.0, "intercept": -38.0}
    assert manifest.gallery == parts.gallery
    assert manifest.lineage == parts.lineage
    assert manifest.models.embedding.numeric_format == "fp32"
    assert manifest.counts.model_dump() == {"classes": 5, "gallery": 15, "golden": 3}


def test_the_limits_of_photos_and_of_the_probability_reach_the_device(parts: ReleaseParts, tmp_path: Path) -> None:
    limits, rule = PhotoLimits(least_side=20, most_white=0.5), replace(RULE, least_probability=0.75)
    release = build_release(tmp_path / "release", replace(parts, photo_limits=limits, rule=rule))
    assert release.photo_limits == Identifier(release).photo_limits == limits
    assert Identifier(release).rule == rule


def test_the_builder_writes_what_the_devices_tests_write(
    parts: ReleaseParts, toy_release: Release, tmp_path: Path
) -> None:
    """The device is tested by releases of a writer of its own: both must stay the same."""
    release = build_release(tmp_path / "release", parts)
    assert release.manifest.files == toy_release.manifest.files
    same = {"created": toy_release.manifest.created}
    assert release.manifest.model_copy(update=same) == toy_release.manifest
    assert set(read_manifest(toy_release.folder)) == set(read_manifest(release.folder))


def test_rows_may_come_in_any_order(parts: ReleaseParts, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(15)
    shuffled = replace(parts, vectors=parts.vectors[order], class_ids=np.asarray(parts.class_ids)[order])
    identifier = Identifier(build_release(tmp_path / "release", shuffled))
    for label, colour in COLOURS.items():
        assert identifier.identify(photo(colour, 9)).label == label


def test_the_same_parts_give_the_same_files(parts: ReleaseParts, tmp_path: Path) -> None:
    first, second = build_release(tmp_path / "first", parts), build_release(tmp_path / "second", parts)
    assert first.manifest.files == second.manifest.files


def test_a_localiser_is_carried_and_photos_are_answered_by_the_embedding(parts: ReleaseParts, tmp_path: Path) -> None:
    detector = write_model(tmp_path / "detector.onnx", size=32)
    localiser = LocaliserParts(detector, Preprocessing(32), objectness=0.4, nms_iou=0.6, max_instances=50)
    release = build_release(tmp_path / "release", replace(parts, localiser=localiser))
    entry = release.manifest.models.localiser
    assert entry is not None
    assert (entry.file, entry.preprocessing.size, entry.objectness, entry.nms_iou) == (LOCALISER_FILE, 32, 0.4, 0.6)
    assert (release.folder / LOCALISER_FILE).read_bytes() == detector.read_bytes()
    assert Identifier(release).identify(photo(COLOURS["red"], 9)).label == "red"


def with_a_row_of(parts: ReleaseParts, value: float) -> np.ndarray[Any, Any]:
    vectors = parts.vectors.copy()
    vectors[4] = value
    return np.asarray(vectors)


def with_localiser(path: str, **changes: Any) -> LocaliserParts:
    return replace(LocaliserParts(Path(path), Preprocessing(32), 0.5, 0.5, 10), **changes)


NO_VECTORS = {"classes": [], "class_ids": [], "vectors": np.empty((0, 8))}
SIX_NUMBERS = np.eye(15, 6, dtype=np.float32)[[0, 1, 2, 3, 4] * 3]
NOT_FINITE = Calibrator(float("nan"), 1, 0)
WRONG: dict[str, tuple[Callable[[ReleaseParts], dict[str, Any]], str]] = {
    "no classes": (lambda _: NO_VECTORS, "has no classes"),
    "label twice": (lambda parts: {"classes": [parts.classes[0]] * 5}, "names 'red' twice"),
    "class without a photo": (lambda _: {"class_ids": np.repeat([0, 1, 2, 3, 3], 3)}, "'white' has no gallery photo"),
    "class outside": (lambda _: {"class_ids": np.repeat([0, 1, 2, 3, 5], 3)}, "outside the catalogue of 5"),
    "class id too few": (lambda parts: {"class_ids": parts.class_ids[1:]}, "15 embeddings but 14 class ids"),
    "not a number": (lambda parts: {"vectors": with_a_row_of(parts, np.nan)}, r"row 4 \(class 1\) is not finite"),
    "not unit length": (lambda parts: {"vectors": parts.vectors * 2}, "not of unit length"),
    "other dimension": (lambda _: {"vectors": SIX_NUMBERS}, "of 8 numbers and the gallery has 6: embed the gallery"),
    "thumbnail": (
        lambda parts: {"classes": [CatalogueClass("red", b"no"), *parts.classes[1:]]},
        "thumbnail of class 'red'",
    ),
    "no golden": (lambda _: {"golden": []}, "no golden images"),
    "bad golden": (lambda _: {"golden": [b"no"]}, "golden image 0 is not a picture"),
    "metric": (lambda _: {"metrics": {"auroc": float("nan")}}, "auroc is nan"),
    "threshold": (lambda _: {"rule": DecisionRule(float("inf"), 0, 0.1)}, r"rule\.threshold is inf"),
    "margin": (lambda _: {"rule": DecisionRule(0.5, -1, 0.1)}, r"decision\.margin"),
    "least probability": (
        lambda _: {"rule": replace(RULE, least_probability=0.5), "calibrator": None},
        "a least probability and no calibrator to state one: set `least_probability` to 0",
    ),
    "limit": (lambda _: {"photo_limits": PhotoLimits(least_brightness=4)}, r"photo_limits\.least_brightness"),
    "calibrator": (lambda _: {"calibrator": NOT_FINITE}, r"calibrator\.score is nan"),
    "size": (lambda _: {"preprocessing": Preprocessing(32)}, r"\[n, 32, 32, 3\] is needed"),
    "model": (lambda _: {"onnx": Path("/nowhere.onnx")}, "No such file"),
    "no localiser": (lambda _: {"localiser": with_localiser("/nowhere.onnx")}, "No such file"),
    "bad localiser": (lambda _: {"localiser": with_localiser(__file__)}, r"localiser\.onnx is not a model"),
    "localiser's objectness": (
        lambda parts: {"localiser": with_localiser(str(parts.onnx), objectness=float("nan"))},
        r"localiser\.objectness is nan",
    ),
    "localiser's overlap": (
        lambda parts: {"localiser": with_localiser(str(parts.onnx), nms_iou=1.5)},
        r"models\.localiser\.nms_iou",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_part_is_refused_in_one_sentence_and_nothing_is_left(
    parts: ReleaseParts, tmp_path: Path, case: str
) -> None:
    changes, says = WRONG[case]
    with pytest.raises(PublicationError, match=says) as caught:
        build_release(tmp_path / "release", replace(parts, **changes(parts)))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_release_is_never_written_over(toy_release: Release, parts: ReleaseParts, tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match="exists already: a release is never changed"):
        build_release(toy_release.folder, parts)
    assert open_release(toy_release.folder, toy_release.id)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(PublicationError, match="exists already"):
        build_release(tmp_path / "file", parts)
    (tmp_path / "empty").mkdir()
    assert build_release(tmp_path / "empty", parts).folder == tmp_path / "empty"


def test_a_release_that_fails_its_self_test_is_not_built(
    parts: ReleaseParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Golden embeddings of another picture are whole files with right hashes: only the self-test sees them."""
    golden = [photo(COLOURS["white"]), *parts.golden[1:]]
    write = build._write_golden

    def write_others(folder: Path, _golden: Any, model: OnnxEmbedder) -> None:
        write(folder, parts.golden, model)
        build.write_zip(folder / "golden.zip", {f"{number}.png": data for number, data in enumerate(golden)})

    monkeypatch.setattr(build, "_write_golden", write_others)
    with pytest.raises(PublicationError, match="gives other answers than it was built with") as caught:
        build_release(tmp_path / "release", parts)
    assert isinstance(caught.value.__cause__, ReleaseError)
    assert not list(tmp_path.iterdir())


def test_the_manifest_is_readable_text(parts: ReleaseParts, tmp_path: Path) -> None:
    release = build_release(tmp_path / "release", replace(parts, name="Würfel"))
    text = (release.folder / MANIFEST_FILE).read_text()
    assert '"name": "Würfel"' in text
    assert json.loads(text)["format"] == 5
