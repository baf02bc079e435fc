"""`python -m benchmarks.grocery_closed --photos PATH`: the Grocery Store Dataset by its official split.

81 fine classes, answered by the nearest photo of the training list. Klasson, Zhang, Kjellstrom (WACV 2019) and others
report about .86 of the fine and .92 of the coarse classes right, with nets pretrained on ImageNet and full-size photos;
here nothing is pretrained. `pretrained: true` in the config's teacher is nearer to theirs, where a hub can be reached.
"""

from __future__ import annotations

import numpy as np

from benchmarks.distillation import gap_figures
from benchmarks.intervals import share_figures
from benchmarks.learning import LearningParser, keep, learn, read_recipe, read_version, sample_std
from discern.datasets.photo_set import load_photos
from discern.evaluation.families import family_right
from discern.evaluation.gallery import GalleryConfig, enrol
from discern.evaluation.retrieval import SearchResults, search
from discern.sources.grocery import coarse_classes


def main() -> None:
    """Train on the training list, measure the test list, or the validation list to choose settings by."""
    run = LearningParser(
        "grocery_closed",
        __doc__,
        use_cases=("groceries_closed",),
        photos="folder or zip of the Grocery Store Dataset",
        seeds=True,
        development="the official validation list, which no reported figure uses",
    ).start()
    chosen = run.options
    recipe = read_recipe("groceries_closed", {"GROCERY_PHOTOS": chosen.photos}).with_trainings(steps=chosen.steps)
    work = chosen.work / "grocery_closed"
    version = read_version(recipe, work)
    coarse = coarse_classes(chosen.photos)
    preprocessing = recipe.image.preprocessing
    enrolled = load_photos(version.select(split="train"), preprocessing)
    queries = load_photos(version.select(split="validation" if chosen.development else "test"), preprocessing)
    results: dict[str, list[SearchResults]] = {"teacher": [], "student": []}
    for seed in range(chosen.seeds):
        models = learn(recipe.with_trainings(seed=seed), version, work / str(seed))
        for name, embed in models.parts():
            gallery = enrol(embed(enrolled.pixels), list(enrolled.labels), GalleryConfig(represent="exemplars"))
            results[name].append(search(gallery, embed(queries.pixels), queries.labels, queries.labels))
    figures: dict[str, float | int | None] = {"queries": len(queries.labels), "seeds": chosen.seeds}
    for name, prefix in (("student", ""), ("teacher", "teacher_")):
        fine = np.array([of_seed.retrieved for of_seed in results[name]])
        coarse_right = np.array([family_right(of_seed, coarse.__getitem__) for of_seed in results[name]])
        figures |= share_figures(f"{prefix}fine_accuracy", fine.mean(axis=0), queries.labels)
        figures[f"{prefix}fine_accuracy_spread"] = sample_std(fine.mean(axis=1).tolist())
        figures |= share_figures(f"{prefix}coarse_accuracy", coarse_right.mean(axis=0), queries.labels)
    teacher, student = (results[name][0].retrieved for name in ("teacher", "student"))
    figures |= gap_figures(teacher, student, queries.labels, models.macs_ratio)
    keep(run, figures, recipe)


if __name__ == "__main__":
    main()
