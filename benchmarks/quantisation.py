"""`python -m benchmarks.quantisation`: what fp32, fp16 and int8 cost and lose, net by net, and which of them ships.

Each net is trained on sample pills, or on a folder of classes, long enough that its norms are not fresh; then a release
is built of it as the pipeline does. Latency is of one photo on one thread, accuracy of the validation queries.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.learning import Recipe, read_recipe
from benchmarks.results import REPOSITORY, save
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.numeric_format import FormatChoice, NumericFormatConfig
from discern.learning.config import ModelConfig
from discern.learning.recipes import train_teacher
from discern.progress import bar
from discern.releases.candidate import CandidateInputs, build_candidate
from discern.releases.config import PackagingConfig
from discern.sources.folder import FolderConfig
from discern.sources.registry import open_source
from edge_runtime.core.release import Lineage

COMMAND = "python -m benchmarks.quantisation"
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", help="folder or zip with a folder a class, instead of sample pills")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "logs", help="shards, and the figures of a trial")
    parser.add_argument("--steps", type=int, help=f"of each training, for a trial; {STEPS} otherwise")
    chosen = parser.parse_args()
    recipe = read_recipe("pills").with_trainings(steps=chosen.steps or STEPS)
    if chosen.photos:
        recipe = recipe.model_copy(update={"source": FolderConfig(path=chosen.photos)})
    version = _version(recipe, chosen.work / "quantisation")
    figures: dict[str, float | int | str | None] = {"size": recipe.image.size}
    for name, model in nets(recipe).items():
        choice = _choice(name, model, recipe, version)
        figures |= {f"{name}_{figure}": value for figure, value in format_figures(choice).items()}
    command = COMMAND + (" --photos PATH" if chosen.photos else "")
    if chosen.steps is None:
        save("quantisation", figures, command)
    else:
        save("quantisation", figures, f"{command} --steps {chosen.steps}", chosen.work)


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
    config = recipe.teacher.model_copy(update={"model": model})
    trained = train_teacher(version, recipe.image.preprocessing, config).model
    with tempfile.TemporaryDirectory(prefix="quantisation-") as temporary:
        folder = Path(temporary) / "release"
        lineage = Lineage(dataset_version=version.id)
        inputs = CandidateInputs(name, version, trained, GALLERY, PACKAGING, lineage)
        return build_candidate(folder, inputs).format_choice


if __name__ == "__main__":
    main()
