"""`python -m benchmarks.fpir_promise`: whether unknowns of other classes meet the stated false-identification rate.

Ten worlds of sample pills, each of pills that no other world and no training has. Of each, half of the classes are
enrolled and fit the rule as a release's is fitted (`discern.evaluation.cross_fitting`); photos of the other half, which
nobody enrolled, then meet it. `met` is the FPIR that they find, over the stated one: 1 is a promise that is kept.
`worst_ratio` is the one farthest from 1, as a factor. `coverage` is the share of the worlds whose stated 95 % interval
over classes holds the FPIR that was met.

The same with few classes to fit on, at a higher rate: so many as most teams begin with. There the release states a wide
interval, and `few_coverage` says how often it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning import Embed, LearningParser, keep, learn, read_recipe, read_version, search_both_ways
from discern.evaluation.cross_fitting import fit_promised_rule
from discern.evaluation.gallery import GalleryConfig, Vectors, enrol
from discern.evaluation.retrieval import Queries
from discern.progress import bar
from discern.sources.pills import PillsConfig, PillSource
from edge_runtime.core.decision import decide
from edge_runtime.core.images import Preprocessing, decode

WORLDS = 10
CLASSES = 4000  # of a world, half of them enrolled; some 2,000 tell 1 % with a spread of a fifth of it
ENROLLED_PHOTOS, QUERIES = 2, 2  # of a class
FPIR = 0.01
FEW_CLASSES, FEW_FPIR = 50, 0.05
FEW_GALLERIES = 20  # of each world
FIRST_SEED = 9_000  # of the worlds; the recipe's own pills have another


class World(NamedTuple):
    """The photos of one world: their embeddings [n, d] and n labels."""

    vectors: Vectors
    labels: NDArray[np.str_]

    def take(self, rows: NDArray[np.int64]) -> World:
        """Return the photos of these rows."""
        return World(self.vectors[rows], self.labels[rows])


class Promise(NamedTuple):
    """A stated rate and what became of it.

    Attributes:
        ratio: the FPIR that was met, over the stated one.
        covered: whether the stated interval holds it.
        tpir: of the enrolled queries, as the release states it.
    """

    ratio: float
    covered: bool
    tpir: float


def main() -> None:
    """Train the models of the pills, render the worlds, and compare what is stated with what is met."""
    parser = LearningParser("fpir_promise", __doc__, use_cases=("pills",))
    parser.add_trial("--classes", type=int, default=CLASSES, help="of a world")
    run = parser.start()
    recipe = read_recipe("pills").with_trainings(steps=run.options.steps)
    work = run.options.work / "fpir_promise"
    models = learn(recipe, read_version(recipe, work), work)
    many, few = [], []
    for number in bar(range(WORLDS), name="rendering worlds", unit="world"):
        source = PillsConfig.model_validate(
            recipe.source.model_dump()
            | {
                "families": run.options.classes,
                "photos_per_class": ENROLLED_PHOTOS + QUERIES,
                "seed": FIRST_SEED + number,
            }
        )
        world = render_world(source, models.student, recipe.image.preprocessing)
        enrolled, others = halves(world, number)
        many.append(promise(world, enrolled, others, FPIR))
        few += [promise(world, some, others, FEW_FPIR) for some in small_galleries(enrolled, number)]
    keep(run, figures(many, few, run.options.classes // 2), recipe)


def render_world(config: PillsConfig, embed: Embed, preprocessing: Preprocessing) -> World:
    """Render and embed the photos of a world."""
    pixels, labels = [], []
    for photo in PillSource(config).photos():
        pixels.append(preprocessing.apply(decode(photo.load(), photo.name)))
        labels.append(str(photo.label))
    return World(embed(np.stack(pixels)), np.array(labels))


def halves(world: World, seed: int) -> tuple[list[str], list[str]]:
    """Divide the classes of a world into those that are enrolled and the others, at random."""
    labels = np.random.default_rng(seed).permutation(np.unique(world.labels)).tolist()
    return labels[: len(labels) // 2], labels[len(labels) // 2 :]


def small_galleries(enrolled: Sequence[str], seed: int) -> list[list[str]]:
    """Draw galleries of a few classes."""
    rng = np.random.default_rng(seed)
    count = min(FEW_CLASSES, len(enrolled))
    return [rng.choice(np.array(enrolled), count, replace=False).tolist() for _ in range(FEW_GALLERIES)]


def promise(world: World, enrolled: Sequence[str], others: Sequence[str], fpir: float) -> Promise:
    """Fit a rule on the queries of the enrolled classes, asked both ways, and let the photos of the others meet it."""
    rows = np.flatnonzero(np.isin(world.labels, list(enrolled)))
    place = np.concatenate([np.arange(count) for count in np.unique(world.labels[rows], return_counts=True)[1]])
    order = rows[np.argsort(world.labels[rows], kind="stable")]
    photos, queries = (world.take(order[which]) for which in (place < ENROLLED_PHOTOS, place >= ENROLLED_PHOTOS))
    gallery = enrol(photos.vectors, photos.labels.tolist(), GalleryConfig(represent="prototype"))
    fitted = fit_promised_rule(search_both_ways(gallery, queries.vectors, queries.labels.tolist()), fpir)
    unknowns = world.take(np.flatnonzero(np.isin(world.labels, list(others))))
    met = Queries(unknowns.vectors, unknowns.labels.tolist()).search(gallery)
    rate = float(decide(met.scores, fitted.rule).mean())
    stated, tpir = fitted.rates.fpir, fitted.rates.tpir
    covered = stated is not None and stated.low <= rate <= stated.high
    return Promise(rate / fpir, covered, np.nan if tpir is None else tpir.value)


def figures(many: Sequence[Promise], few: Sequence[Promise], classes: int) -> dict[str, float | int | None]:
    """Return the figures of the worlds, and of the small galleries under names that begin with `few_`."""
    all_figures: dict[str, float | int | None] = {"worlds": len(many), "fpir": FPIR, "classes": classes}
    all_figures |= _figures("", many)
    all_figures |= {"few_galleries": len(few), "few_fpir": FEW_FPIR, "few_classes": min(FEW_CLASSES, classes)}
    return all_figures | _figures("few_", few)


def _figures(prefix: str, promises: Sequence[Promise]) -> dict[str, float | int | None]:
    ratios = np.array([one.ratio for one in promises])
    with np.errstate(divide="ignore"):
        worst = ratios[np.abs(np.log(ratios)).argmax()]
    return {
        f"{prefix}worst_ratio": float(worst),
        f"{prefix}lowest_ratio": float(ratios.min()),
        f"{prefix}highest_ratio": float(ratios.max()),
        f"{prefix}mean_ratio": float(ratios.mean()),
        f"{prefix}coverage": float(np.mean([one.covered for one in promises])),
        f"{prefix}tpir": float(np.mean([one.tpir for one in promises])),
    }


if __name__ == "__main__":
    main()
