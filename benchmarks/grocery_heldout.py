"""`python -m benchmarks.grocery_heldout --photos PATH`: products that never trained, enrolled by few photos.

For each of some draws 30 of the 81 products are held out of training: 20 are enrolled, by their catalogue picture
alone, by 1 or by 5 photos (their mean), and 10 by nobody. Photos of all 30 are queries. Means over the draws, with
standard deviations. The model starts from ImageNet's weights, which know some of these products: apples,
oranges and lemons are no new things to it. `python -m benchmarks.grocery_heldout_scratch --photos PATH` measures the
same from scratch.

`--development` makes other draws, but of the same 81 products, so that its figures are not independent of those.
"""

from __future__ import annotations

from collections.abc import Sequence

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
Searched = dict[str, dict[Part, SearchResults]]  # of one draw: gallery -> model -> what it found


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
    searched: list[Searched] = []
    first = DEVELOPMENT if chosen.development else 0
    for draw in range(first, first + (DRAWS if chosen.steps is None else 1)):
        versions = {
            name: read_version(recipe, work, seed=draw, catalogue=catalogue, shots=shots)
            for name, (catalogue, shots) in GALLERIES.items()
        }
        models = learn(recipe.with_trainings(seed=draw), versions["catalogue"], work / str(draw))
        searched.append(
            {
                gallery: {part: _search(embed, version, recipe) for part, embed in models.parts().items()}
                for gallery, version in versions.items()
            }
        )
    figures = {"draws": len(searched), **_over_draws(searched)}
    if models.teacher is not None:
        figures |= _gap(searched, models.macs_ratio)
    keep(run, figures, recipe)


def _over_draws(searched: Sequence[Searched]) -> dict[str, float | int | None]:
    """Return the mean and the standard deviation of each of the student's figures."""
    figures: dict[str, float | int | None] = {}
    for gallery in GALLERIES:
        of_draws = [open_set_figures(draw[gallery]["student"]) for draw in searched]
        for figure in of_draws[0]:
            values = [of_draw[figure] for of_draw in of_draws]
            figures[f"{figure}_{gallery}"] = float(np.mean(values))
            figures[f"{figure}_{gallery}_spread"] = sample_std(values)
    for figure in ("auroc", "tpir_at_fpir_1", "fpir_at_1"):
        figures[figure] = figures[f"{figure}_{OPEN_SET}"]
    return figures


def _gap(searched: Sequence[Searched], macs_ratio: float) -> dict[str, float]:
    """Compare student and teacher on the queries of enrolled products, as they are, of all draws."""
    right: dict[Part, list[NDArray[np.bool_]]] = {"teacher": [], "student": []}
    classes: list[str] = []
    for draw in searched:
        student = draw[OPEN_SET]["student"]
        for part, hits in right.items():
            hits.append(draw[OPEN_SET][part].retrieved[student.enrolled])
        # A product that several draws hold out shows the same photos in all of them.
        classes += np.array(student.query_labels)[student.enrolled].tolist()
    return gap_figures(np.concatenate(right["teacher"]), np.concatenate(right["student"]), classes, macs_ratio)


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
