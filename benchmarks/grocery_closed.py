"""`python -m benchmarks.grocery_closed --photos PATH`: the Grocery Store Dataset by its official split.

81 fine classes, answered by the nearest mean of a class's photos in the training list. Klasson, Zhang, Kjellstrom (WACV
2019) and others report about .86 of the fine and .92 of the coarse classes right, with nets pretrained on ImageNet and
full-size photos. Here a light net starts from ImageNet's weights too.
"""

from __future__ import annotations

import numpy as np

from benchmarks.intervals import share_figures
from benchmarks.learning import LearningParser, keep, learn, read_recipe, read_version, sample_std
from discern.datasets.photo_set import load_photos
from discern.evaluation.families import family_right
from discern.evaluation.gallery import GalleryConfig, enrol
from discern.evaluation.retrieval import search
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
    results = []
    for seed in range(chosen.seeds):
        models = learn(recipe.with_trainings(seed=seed), version, work / str(seed))
        gallery = enrol(models.student(enrolled.pixels), list(enrolled.labels), GalleryConfig(represent="prototype"))
        results.append(search(gallery, models.student(queries.pixels), queries.labels, queries.labels))
    fine = np.array([of_seed.retrieved for of_seed in results])
    coarse_right = np.array([family_right(of_seed, coarse.__getitem__) for of_seed in results])
    figures: dict[str, float | int | None] = {"queries": len(queries.labels), "seeds": chosen.seeds}
    figures |= share_figures("fine_accuracy", fine.mean(axis=0), queries.labels)
    figures["fine_accuracy_spread"] = sample_std(fine.mean(axis=1).tolist())
    figures |= share_figures("coarse_accuracy", coarse_right.mean(axis=0), queries.labels)
    keep(run, figures, recipe)


if __name__ == "__main__":
    main()
