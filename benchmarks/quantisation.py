"""`python -m benchmarks.quantisation`: what fp32, fp16 and int8 cost and lose, net by net, and which of them ships.

Each net is trained on sample pills, or on a folder of classes, long enough that its norms are not fresh; then a release
is built of it as the pipeline does. Latency is of one photo on one thread, accuracy of the validation queries.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.learning import Recipe, precision_of, read_recipe
from benchmarks.run import BenchmarkParser, positive_int
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.numeric_format import FormatChoice, NumericFormatConfig
from discern.learning.config import ModelConfig
from discern.learning.recipes import train_on_labels
from discern.progress import bar
from discern.releases.candidate import CandidateInputs, build_candidate
from discern.releases.config import PackagingConfig
from discern.sources.folder import FolderConfig
from discern.sources.registry import open_source
from edge_runtime.core.release import Lineage

STEPS = 600  # depthwise nets learn slower than the recipe's own
FIGURES = {
    "latency_ms": "ms",
    "size_mb": "mb",
    "recall_at_1": "recall_at_1",
    "tpir": "tpir",
    "agreement": "agreement",
}
GALLERY = GalleryConfig(photos_per_class=4, represent="prototype", splits=("validation", "test"))
PACKAGING = PackagingConfig(fpir=0.05, numeric_format=NumericFormatConfig(repetitions=500))


def main() -> None:
    """Train each net, build its release, and keep what was measured on the way."""
    parser = BenchmarkParser("quantisation", __doc__, use_cases=("pills",))
    parser.add_trial("--photos", metavar="PATH", help="folder or zip with a folder a class, instead of sample pills")
    parser.add_trial("--steps", type=positive_int, default=STEPS, help="of each training")
    run = parser.start()
    chosen = run.options
    recipe = read_recipe("pills").with_trainings(steps=chosen.steps)
    if chosen.photos:
        recipe = recipe.model_copy(update={"source": FolderConfig(path=chosen.photos)})
    version = _version(recipe, chosen.work / "quantisation")
    figures: dict[str, float | int | str | None] = {"size": recipe.image.size}
    for name, model in nets(recipe).items():
        choice = _choice(name, model, recipe, version)
        figures |= {f"{name}_{figure}": value for figure, value in format_figures(choice).items()}
    run.save(figures, precision=precision_of(recipe.trainings["teacher"]))


def nets(recipe: Recipe) -> dict[str, ModelConfig]:
    """The nets by name: the student of the demo, a common dense net, a common depthwise one."""
    return {
        "resnet10t_half": recipe.student.model,
        "resnet18": ModelConfig(backbone="resnet18"),
        "mobilenetv4_conv_small": ModelConfig(backbone="mobilenetv4_conv_small"),
    }


def format_figures(choice: FormatChoice) -> dict[str, float | str | None]:
    """Return what was measured of each format, and the format that ships; `ms` of a format that was refused is None."""
    figures: dict[str, float | str | None] = {}
    for measurement in choice.measurements:
        measured, prefix = measurement.figures(), measurement.numeric_format
        for name, short in FIGURES.items():
            if name in measured:
                figures[f"{prefix}_{short}"] = round(measured[name], 5)
        figures.setdefault(f"{prefix}_ms", None)
    return {**figures, "chosen": choice.numeric_format}


def _version(recipe: Recipe, work: Path) -> DatasetVersion:
    source = open_source(recipe.source)
    photos = bar(source.photos(), total=len(source), name="reading photos", unit="photo")
    version, _ = write_version(photos, str(work / "shards"), source=source.name, splits=recipe.splits)
    return version


def _choice(name: str, model: ModelConfig, recipe: Recipe, version: DatasetVersion) -> FormatChoice:
    config = recipe.trainings["teacher"].model_copy(update={"model": model})
    trained = train_on_labels(version, recipe.image.preprocessing, config).model
    with tempfile.TemporaryDirectory(prefix="quantisation-") as temporary:
        folder = Path(temporary) / "release"
        lineage = Lineage(dataset_version=version.id)
        inputs = CandidateInputs(name, version, trained, GALLERY, PACKAGING, lineage)
        return build_candidate(folder, inputs).format_choice


if __name__ == "__main__":
    main()
