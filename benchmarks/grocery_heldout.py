"""`python -m benchmarks.grocery_heldout --photos PATH`: products that never trained, enrolled by few photos.

For each of some draws 30 of the 81 products are held out of training: 20 are enrolled, by their catalogue picture
alone, by 1 or by 5 photos (their mean), and 10 by nobody. Photos of all 30 are queries. Means over the draws, with
standard deviations. The model starts from ImageNet's weights, which know some of these products: apples,
oranges and lemons are no new things to it. `python -m benchmarks.grocery_heldout_scratch --photos PATH` measures the
same from scratch.

`--development` makes other draws, but of the same 81 products, so that its figures are not independent of those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.distillation import gap_figures
from benchmarks.learning import (
    Embed,
    LearningParser,
    Part,
    Recipe,
    keep,
    learn,
    open_set_figures,
    read_recipe,
    read_version,
    sample_std,
    search_both_ways,
)
from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.evaluation.gallery import GalleryConfig, enrol
from discern.evaluation.retrieval import SearchResults

DRAWS = 3
DEVELOPMENT = 100  # the number of the first draw that settings are chosen by
GALLERIES = {"catalogue": (True, 0), "1shot": (False, 1), "5shot": (False, 5)}  # catalogue picture, photos
OPEN_SET = "5shot"  # AUROC and TPIR without a suffix are of this gallery


def main() -> None:
    """Measure the recipe of `configs/groceries`."""
    measure("grocery_heldout", "groceries", __doc__)


def measure(name: str, use_case: str, description: str | None) -> None:
    """Train once a draw; search its held-out products in three galleries.

    Args:
        name: of the benchmark.
        use_case: whose recipe is trained.
        description: of the benchmark.
    """
    run = LearningParser(
        name,
        description,
        use_cases=(use_case,),
        photos="folder or zip of the Grocery Store Dataset",
        development="as many other draws, though of the same 81 products",
    ).start()
    chosen = run.options
    recipe = read_recipe(use_case, {"GROCERY_PHOTOS": chosen.photos}).with_trainings(steps=chosen.steps)
    work = chosen.work / name
    draws: dict[str, list[float]] = defaultdict(list)
    right: dict[Part, list[NDArray[np.bool_]]] = defaultdict(list)
    classes: list[str] = []
    first = DEVELOPMENT if chosen.development else 0
    for draw in range(first, first + (DRAWS if chosen.steps is None else 1)):
        versions = {
            name: read_version(recipe, work, seed=draw, catalogue=catalogue, shots=shots)
            for name, (catalogue, shots) in GALLERIES.items()
        }
        models = learn(recipe.with_trainings(seed=draw), versions["catalogue"], work / str(draw))
        for gallery, version in versions.items():
            results = {part: _search(embed, version, recipe) for part, embed in models.parts().items()}
            for figure, value in open_set_figures(results["student"]).items():
                draws[f"{figure}_{gallery}"].append(value)
            if gallery == OPEN_SET:
                enrolled = results["student"].enrolled  # asked as they are
                for part, found in results.items():
                    right[part].append(found.retrieved[enrolled])
                # A product that several draws hold out shows the same photos in all of them.
                classes += np.array(results["student"].query_labels)[enrolled].tolist()
    figures: dict[str, float | int | None] = {"draws": len(right["student"]), **_over_draws(draws)}
    if "teacher" in right:
        teacher, student = (np.concatenate(right[part]) for part in ("teacher", "student"))
        figures |= gap_figures(teacher, student, classes, models.macs_ratio)
    keep(run, figures, recipe)


def _over_draws(draws: Mapping[str, list[float]]) -> dict[str, float | int | None]:
    """Return the mean and the standard deviation of each figure."""
    figures: dict[str, float | int | None] = {}
    for figure, values in draws.items():
        figures |= {figure: float(np.mean(values)), f"{figure}_spread": sample_std(values)}
    for figure in ("auroc", "tpir_at_fpir_1", "fpir_at_1"):
        figures[figure] = figures[f"{figure}_{OPEN_SET}"]
    return figures


def _search(embed: Embed, version: DatasetVersion, recipe: Recipe) -> SearchResults:
    """Search the held-out products' queries of both held-out splits in a gallery of the held-out products."""
    trained = set(version.select(split="train").labels)
    heldout = version.select(labels=set(version.labels) - trained)
    preprocessing = recipe.image.preprocessing
    gallery, queries = (load_photos(heldout.select(role=role), preprocessing) for role in ("gallery", "query"))
    enrolled = enrol(embed(gallery.pixels), list(gallery.labels), GalleryConfig(represent="prototype"))
    return search_both_ways(enrolled, embed(queries.pixels), queries.labels)


if __name__ == "__main__":
    main()
