"""`python -m benchmarks.pills_lookalike`: sample pills with siblings of one shape and colour that differ by imprint.

Whole families are held out of training: two thirds of them are enrolled by a few photos, the others by nobody. Every
enrolled class has its sibling beside it in the gallery, so that only what reads the imprint tells the two apart.

The unknowns are of other families, which is easy. So every query of an enrolled class is also asked as if its class
were not enrolled, its sibling still being so: `sibling_refusal` is the share of these that are answered `unknown`. It
and `tpir_at_fpir_5` are of one decision rule, fitted as a release's is: on the validation families, whose queries are
asked both ways too, for a FPIR of 5 % of all unknowns; `tnir` is the share of the other families' queries that it
refuses. Intervals draw whole families, whose siblings are taken for each other.

`--development` measures the validation families, each by a rule that is fitted on others of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.distillation import gap_figures
from benchmarks.intervals import share_figures
from benchmarks.learning import (
    Embed,
    LearningParser,
    keep,
    learn,
    open_set_figures,
    read_recipe,
    read_version,
    sample_std,
    search_both_ways,
)
from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import PhotoSet, load_photos
from discern.errors import DataError
from discern.evaluation.cross_fitting import cross_fitted_names
from discern.evaluation.families import family_right
from discern.evaluation.gallery import GalleryConfig, enrol
from discern.evaluation.retrieval import SearchResults
from discern.evaluation.threshold_calibration import fit_rule
from discern.sources.base import Split
from edge_runtime.core.identify import decide
from edge_runtime.core.images import Preprocessing

FPIR = 0.05  # that the rule is fitted for, of all unknowns


class Photos(NamedTuple):
    """The photos of one held-out split."""

    gallery: PhotoSet
    queries: PhotoSet


class Answers(NamedTuple):
    """Answers of one model to the queries of a split, those of enrolled classes asked both ways.

    Attributes:
        results: of all queries.
        named: [q] whether the rule gives the query a name.
    """

    results: SearchResults
    named: NDArray[np.bool_]


def main() -> None:
    """Train on the training families, measure those held out for the test."""
    run = LearningParser(
        "pills_lookalike",
        __doc__,
        use_cases=("pills_lookalike",),
        seeds=True,
        development="the validation families, which fit the rule and are in no reported figure",
    ).start()
    recipe = read_recipe("pills_lookalike").with_trainings(steps=run.options.steps)
    work = run.options.work / "pills_lookalike"
    version = read_version(recipe, work)
    fitting = _photos(version, "validation", recipe.image.preprocessing)
    measured = None if run.options.development else _photos(version, "test", recipe.image.preprocessing)
    answers: dict[str, list[Answers]] = {"teacher": [], "student": []}
    for seed in range(run.options.seeds):
        models = learn(recipe.with_trainings(seed=seed), version, work / str(seed))
        for name, embed in models.parts().items():
            answers[name].append(_answers(embed, fitting, measured))
    results = answers["student"][0].results
    enrolled = results.enrolled
    figures: dict[str, float | int | None] = {
        "classes": len(results.labels),
        "queries": int(enrolled.sum()),
        "unknown_queries": int(_others(results).sum()),
        "seeds": run.options.seeds,
    }
    for name, prefix in (("student", ""), ("teacher", "teacher_")):
        figures |= {f"{prefix}{figure}": value for figure, value in _figures(answers[name]).items()}
    teacher, student = (answers[name][0].results.retrieved[enrolled] for name in ("teacher", "student"))
    figures |= gap_figures(teacher, student, _families(results)[enrolled].tolist(), models.macs_ratio)
    keep(run, figures, recipe)


def family_of(label: str) -> str:
    """Return the family of a class, `pill-0007` of `pill-0007-b`."""
    return label.rpartition("-")[0]


def cross_fitted(results: SearchResults) -> NDArray[np.bool_]:
    """Return whether each query gets a name by a rule that saw nothing of its family, [q].

    Raises:
        DataError: the families are too few to fit a rule without some of them.
    """
    named = cross_fitted_names(replace(results, query_labels=tuple(_families(results).tolist())), FPIR)
    if named is None:
        raise DataError("The validation families are too few to fit a rule without some of them: render more.")
    return named


def _answers(embed: Embed, fitting: Photos, measured: Photos | None) -> Answers:
    """Ask a model about `measured` by the rule that `fitting` gives; without it about `fitting`, by crossed rules."""
    fitted_on = _searched(embed, fitting)
    if measured is None:
        return Answers(fitted_on, cross_fitted(fitted_on))
    results = _searched(embed, measured)
    return Answers(results, decide(results.scores, fit_rule(fitted_on, FPIR)))


def _figures(of_seeds: list[Answers]) -> dict[str, float]:
    """Return the means over seeds, with their spread, and the shares with their intervals over families."""
    first = of_seeds[0].results
    families = _families(first)
    open_set = [open_set_figures(answers.results, families.tolist()) for answers in of_seeds]
    figures: dict[str, float] = {}
    for name in ("auroc", "tpir_at_fpir_1", "fpir_at_1", "tpir_at_fpir_1_by_score"):
        values = [of_seed[name] for of_seed in open_set]
        figures |= {name: float(np.mean(values)), f"{name}_spread": sample_std(values)}
    refused = [~answers.named for answers in of_seeds]
    shares = {
        "recall_at_1": ([answers.results.retrieved for answers in of_seeds], first.enrolled),
        "family_recall_at_1": ([family_right(answers.results, family_of) for answers in of_seeds], first.enrolled),
        "tpir_at_fpir_5": ([answers.results.retrieved & answers.named for answers in of_seeds], first.enrolled),
        "tnir": (refused, _others(first)),
        "sibling_refusal": (refused, first.left_out),
    }
    for name, (right, asked) in shares.items():
        counted = np.array(right)[:, asked]
        figures |= share_figures(name, counted.mean(axis=0), families[asked].tolist())
        figures[f"{name}_spread"] = sample_std(counted.mean(axis=1).tolist())
    return figures


def _photos(version: DatasetVersion, split: Split, preprocessing: Preprocessing) -> Photos:
    part = version.select(split=split)
    gallery, queries = (load_photos(part.select(role=role), preprocessing) for role in ("gallery", "query"))
    return Photos(gallery, queries)


def _searched(embed: Embed, photos: Photos) -> SearchResults:
    """Enrol prototypes, and search the queries both ways."""
    config = GalleryConfig(represent="prototype")
    gallery = enrol(embed(photos.gallery.pixels), list(photos.gallery.labels), config)
    return search_both_ways(gallery, embed(photos.queries.pixels), photos.queries.labels)


def _families(results: SearchResults) -> NDArray[np.str_]:
    """Return the family of each query, [q]."""
    return np.array([family_of(label) for label in results.query_labels])


def _others(results: SearchResults) -> NDArray[np.bool_]:
    """Return whether each query is of a family that nobody enrolled, [q]."""
    return ~results.enrolled & ~results.left_out


if __name__ == "__main__":
    main()
