"""`python -m benchmarks.pills_lookalike`: sample pills with siblings of one shape and colour that differ by imprint.

Whole families are held out of training: two thirds of them are enrolled by a few photos, the others by nobody. Every
enrolled class has its sibling beside it in the gallery, so that only what reads the imprint tells the two apart.
"""

from __future__ import annotations

import numpy as np

from benchmarks.distillation import gap_figures
from benchmarks.learning import keep, learn, open_set_figures, options, or_nan, read_recipe, read_version, sample_std
from discern.datasets.photo_set import load_photos
from discern.evaluation.families import family_recall_at_1
from discern.evaluation.gallery import GalleryConfig, enrol
from discern.evaluation.retrieval import SearchResults, search

COMMAND = "python -m benchmarks.pills_lookalike"


def main() -> None:
    """Train on the training families, measure those held out for the test."""
    chosen = options(__doc__, seeds=True)
    recipe = read_recipe("pills_lookalike").with_trainings(steps=chosen.steps)
    work = chosen.work / "pills_lookalike"
    version = read_version(recipe, work)
    test, preprocessing = version.select(split="test"), recipe.image.preprocessing
    gallery, queries = (load_photos(test.select(role=role), preprocessing) for role in ("gallery", "query"))
    results: dict[str, list[SearchResults]] = {"teacher": [], "student": []}
    for seed in range(chosen.seeds):
        models = learn(recipe.with_trainings(seed=seed), version, work / str(seed))
        for name, embed in models.parts():
            prototypes = enrol(embed(gallery.pixels), list(gallery.labels), GalleryConfig(represent="prototype"))
            results[name].append(search(prototypes, embed(queries.pixels), queries.labels, frozenset()))
    enrolled = results["student"][0].enrolled
    figures: dict[str, float | int | None] = {
        "classes": len(set(gallery.labels)),
        "queries": int(enrolled.sum()),
        "unknown_queries": int((~enrolled).sum()),
        "seeds": chosen.seeds,
    }
    for name, prefix in (("student", ""), ("teacher", "teacher_")):
        of_seeds = [_figures(of_seed) for of_seed in results[name]]
        for figure in of_seeds[0]:
            values = [figures_of_seed[figure] for figures_of_seed in of_seeds]
            figures |= {f"{prefix}{figure}": float(np.mean(values)), f"{prefix}{figure}_spread": sample_std(values)}
    teacher, student = (results[name][0].retrieved[enrolled] for name in ("teacher", "student"))
    labels = np.array(queries.labels)[enrolled].tolist()
    figures |= gap_figures(teacher, student, labels, models.macs_ratio)
    keep("pills_lookalike", figures, COMMAND, chosen)


def family_of(label: str) -> str:
    """Return the family of a class, `pill-0007` of `pill-0007-b`."""
    return label.rpartition("-")[0]


def _figures(results: SearchResults) -> dict[str, float]:
    return open_set_figures(results) | {"family_recall_at_1": or_nan(family_recall_at_1(results, family_of))}


if __name__ == "__main__":
    main()
