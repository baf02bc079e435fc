"""`python -m benchmarks.small_sets`: six classes, and one class, as releases of them answer.

Six classes are those of Medical MNIST by the recipe of `configs/medical_mnist`, on a stand-in that is drawn here: its
figures say that a small set goes through, not what real scans are worth. `--photos PATH` takes the data set itself.
`untrained_...` is the same with nothing trained: EfficientNet-Lite0 as its weights are, with a fitted head.
`--photos-per-class 5` lets five photos of each class train and be enrolled, and changes no query. Unknowns are queries
asked as if their class were not enrolled (`tnir`), and rendered photos of other things (`elsewhere_tnir`).

One class is a rendered pill, of which nothing is trained; its unknowns are photos from elsewhere alone. Each of several
pills is a set of its own. Intervals draw whole classes, or such sets.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.intervals import share_figures
from benchmarks.learning import LearningParser, keep, or_nan, read_recipe, read_version, train
from benchmarks.run import positive_int
from benchmarks.scans import draw_scans
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.config import SplitConfig
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.numeric_format import NumericFormatConfig
from discern.learning.config import ImageConfig, ModelConfig
from discern.learning.models import TorchEmbedder
from discern.learning.recipes import training_split, untrained_embedder
from discern.releases.candidate import CandidateInputs, build_candidate
from discern.releases.comparison import ReleaseEvaluation, evaluate_release
from discern.releases.config import PackagingConfig
from discern.sources.pills import PillsConfig, PillSource
from edge_runtime.core.release import Lineage

SCANS = 100  # of each class, drawn
PILLS = 3  # each a set of one class
PILL_PHOTOS = 40
PILL_IMAGE = ImageConfig(size=96)
UNTRAINED = ModelConfig(backbone="tf_efficientnet_lite0", weights="package:efficientnet_lite0", embedding_dim=256)
FP32 = PackagingConfig(numeric_format=NumericFormatConfig(variants=()))
Figures = dict[str, float | int | None]


def main() -> None:
    """Train on the training photos of six classes, release, measure; then release sets of one class."""
    parser = LearningParser("small_sets", __doc__, use_cases=("medical_mnist",))
    parser.add_trial("--photos", metavar="PATH", help="folder or zip of Medical MNIST, in place of drawn scans")
    parser.add_trial("--photos-per-class", type=positive_int, help="that train and are enrolled")
    run = parser.start()
    chosen = run.options
    with tempfile.TemporaryDirectory(prefix="small-sets-") as folder:
        scratch = Path(folder)
        photos = chosen.photos or str(draw_scans(scratch / "scans", SCANS))
        recipe = read_recipe("medical_mnist", {"MEDICAL_MNIST": photos}).with_trainings(steps=chosen.steps)
        work = chosen.work / "small_sets"
        version = few_trained(read_version(recipe, work), chosen.photos_per_class)
        student = train(recipe, version, work / str(chosen.photos_per_class or "all"))["student"]
        figures: Figures = {"classes": len(set(version.labels))}
        for prefix, model in (("medical_mnist", student), ("untrained", _untrained(version, recipe.image))):
            released = _released(scratch / prefix, version, model, recipe.gallery, recipe.packaging)
            figures |= _six_classes(prefix, released)
        figures["classes_shipped"] = figures["medical_mnist_classes_shipped"]
        figures |= _one_class([_pill(scratch / str(number), work, number) for number in range(PILLS)])
    keep(run, figures, recipe)


def few_trained(version: DatasetVersion, count: int | None) -> DatasetVersion:
    """Return a version of which the first `count` training photos of each class are left, or all; no query goes."""
    taken: dict[str, int] = {}
    rows = []
    for row, (label, split) in enumerate(zip(version.column("label"), version.column("split"), strict=True)):
        taken[label] = taken.get(label, 0) + (split == "train")
        if count is None or split != "train" or taken[label] <= count:
            rows.append(row)
    return version.take(rows)


def _untrained(version: DatasetVersion, image: ImageConfig) -> TorchEmbedder:
    return untrained_embedder(training_split(version), image.preprocessing, UNTRAINED)


def _released(
    folder: Path, version: DatasetVersion, model: TorchEmbedder, gallery: GalleryConfig, packaging: PackagingConfig
) -> ReleaseEvaluation:
    """Build a release as the training pipeline does, and ask it about the test photos as promotion does."""
    inputs = CandidateInputs("small set", version, model, gallery, packaging, Lineage())
    return evaluate_release(build_candidate(folder, inputs).release, version)


def _six_classes(prefix: str, released: ReleaseEvaluation) -> Figures:
    results, metrics = released.results, released.answers.metrics
    enrolled, labels = results.enrolled, np.array(results.query_labels)
    shares = {
        "accuracy": (results.retrieved, enrolled),
        "tpir": (released.answers.right, enrolled),
        "tnir": (released.answers.right, ~enrolled),
    }
    figures: Figures = {}
    for name, (right, asked) in shares.items():
        figures |= share_figures(f"{prefix}_{name}", right[asked], labels[asked].tolist())
    figures[f"{prefix}_elsewhere_tnir"] = or_nan(metrics.elsewhere_tnir)
    figures[f"{prefix}_classes_shipped"] = len(results.labels)
    figures[f"{prefix}_queries"] = metrics.enrolled_queries
    return figures


def _pill(folder: Path, work: Path, number: int) -> ReleaseEvaluation:
    """Release a set of one rendered pill, of which nothing is trained."""
    source = PillSource(PillsConfig(families=1, photos_per_class=PILL_PHOTOS, size=PILL_IMAGE.size, seed=number))
    splits = SplitConfig(by="photos")
    version, _ = write_version(source.photos(), str(work / "shards"), source="pills", splits=splits)
    return _released(folder, version, _untrained(version, PILL_IMAGE), GalleryConfig(represent="auto"), FP32)


def _one_class(sets: Sequence[ReleaseEvaluation]) -> Figures:
    """Return figures over sets; unknowns are as many photos from elsewhere in each."""
    right = [one.answers.right for one in sets]
    groups = [str(number) for number, answers in enumerate(right) for _ in answers]
    refused = [or_nan(one.answers.metrics.elsewhere_tnir) for one in sets]
    return {
        **share_figures("one_class_tpir", np.concatenate(right), groups),
        **share_figures("one_class_tnir", refused, [str(number) for number in range(len(sets))]),
        "one_class_sets": len(sets),
        "one_class_queries": len(groups),
    }


if __name__ == "__main__":
    main()
