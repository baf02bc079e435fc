"""`python -m benchmarks.omniglot_lake --photos PATH`: Lake's 20 within-alphabet one-shot runs (Science 350, 2015).

Trained on the background alphabets alone. In every run a drawing of each of 20 characters is enrolled and another of
each is asked, and compared within its run. Published errors: ProtoNet .137, a simple ConvNet .135, RCN .073, people
.045, BPL .033 (Lake, Salakhutdinov, Tenenbaum, Current Opinion in Behavioral Sciences 29, 2019).

The intervals draw whole runs: the characters of a run are answered from one another. `--development` holds background
alphabets out of training and makes runs of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.distillation import gap_figures
from benchmarks.intervals import share_figures
from benchmarks.learning import (
    FPIR,
    LearningParser,
    Part,
    keep,
    learn,
    read_recipe,
    read_version,
    sample_std,
    search_both_ways,
)
from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import PhotoSet, load_photos
from discern.evaluation.cross_fitting import RuleRates, cross_fitted_rates
from discern.evaluation.episodes import within_group_error
from discern.evaluation.gallery import GalleryConfig, Vectors, enrol
from discern.evaluation.retrieval import UNKNOWN, SearchResults
from edge_runtime.core.images import Preprocessing

HELD_OUT = 5  # background alphabets that `--development` asks about; the 25 others train
RUNS, WAYS = 20, 20  # of `--development`, as in Lake's test


def main() -> None:
    """Train teacher and student, and measure both on the 400 questions."""
    run = LearningParser(
        "omniglot_lake",
        __doc__,
        use_cases=("omniglot",),
        photos="folder or zip of Omniglot",
        seeds=True,
        development=f"runs of {HELD_OUT} background alphabets, which are held out of training",
    ).start()
    chosen = run.options
    recipe = read_recipe("omniglot", {"OMNIGLOT": chosen.photos}).with_trainings(steps=chosen.steps)
    work = chosen.work / "omniglot_lake"
    version = read_version(recipe, work, **({"validation_alphabets": HELD_OUT} if chosen.development else {}))
    questions = development_questions if chosen.development else lake_questions
    gallery, queries = questions(version, recipe.image.preprocessing)
    runs = [run_of(label) for label in queries.labels]
    wrong: dict[Part, list[list[bool]]] = {"teacher": [], "student": []}
    rates: dict[Part, list[RuleRates]] = {"teacher": [], "student": []}
    for seed in range(chosen.seeds):
        models = learn(recipe.with_trainings(seed=seed), version, work / str(seed))
        for part, embed in models.parts().items():
            enrolled, asked = embed(gallery.pixels), embed(queries.pixels)
            answers = within_group_error(enrolled, gallery.labels, asked, queries.labels, run_of)
            wrong[part].append([not right for right in answers.right])
            rates[part].append(open_set_rates(enrolled, gallery.labels, asked, queries.labels))
    figures: dict[str, float | int | None] = {"questions": len(queries.labels), "seeds": chosen.seeds}
    for part, of_seeds in wrong.items():
        figures |= share_figures(f"{part}_error", np.mean(of_seeds, axis=0), runs)
        figures[f"{part}_error_spread"] = sample_std(np.mean(of_seeds, axis=1).tolist())
        figures |= {f"{part}_{name}": value for name, value in _mean_rates(rates[part]).items()}
    teacher, student = (~np.array(of_seeds[0]) for of_seeds in wrong.values())
    figures |= gap_figures(teacher, student, runs, models.macs_ratio)
    keep(run, figures, recipe)


def open_set_rates(
    enrolled: Vectors, gallery_labels: Sequence[str], asked: Vectors, query_labels: Sequence[str]
) -> RuleRates:
    """Return TPIR and FPIR of the questions by rules that are fitted on other runs for a FPIR of 1 %.

    Lake's runs have no unknowns: every question is asked once more with its own character left out of its run.

    Args:
        enrolled: [n, d] embeddings, unit length.
        gallery_labels: n labels, whose runs are the part before the slash.
        asked: [q, d] embeddings, unit length.
        query_labels: q labels.
    """
    of_runs = []
    for name in sorted({run_of(label) for label in query_labels}):
        inside, outside = ([run_of(label) == name for label in labels] for labels in (gallery_labels, query_labels))
        labels = [label for label in gallery_labels if run_of(label) == name]
        gallery = enrol(enrolled[inside], labels, GalleryConfig(represent="exemplars"))
        questions = [label for label in query_labels if run_of(label) == name]
        of_runs.append(search_both_ways(gallery, asked[outside], questions))
    return cross_fitted_rates(_joined(of_runs), FPIR)


def _joined(of_runs: Sequence[SearchResults]) -> SearchResults:
    """Join results of several runs, whose classes are numbered on, each query under the name of its run."""
    first = np.cumsum([0, *(len(results.labels) for results in of_runs)])[:-1]

    def numbered(numbers: NDArray[np.int64], start: np.int64) -> NDArray[np.int64]:
        return np.where(numbers == UNKNOWN, UNKNOWN, numbers + start)

    pairs = list(zip(of_runs, first, strict=True))
    return SearchResults(
        truth=np.concatenate([numbered(results.truth, start) for results, start in pairs]),
        best_class=np.concatenate([numbered(results.best_class, start) for results, start in pairs]),
        scores=np.concatenate([results.scores for results in of_runs]),
        labels=tuple(label for results in of_runs for label in results.labels),
        query_labels=tuple(run_of(label) for results in of_runs for label in results.query_labels),
        trained=np.concatenate([results.trained for results in of_runs]),
        left_out=np.concatenate([results.left_out for results in of_runs]),
    )


def _mean_rates(of_seeds: Sequence[RuleRates]) -> dict[str, float]:
    figures = {}
    for name, rates in (
        ("tpir_at_fpir_1", [rates.tpir for rates in of_seeds]),
        ("fpir_at_1", [rates.fpir for rates in of_seeds]),
    ):
        figures[name] = float(np.mean([np.nan if rate is None else rate.value for rate in rates]))
    return figures


def lake_questions(version: DatasetVersion, preprocessing: Preprocessing) -> tuple[PhotoSet, PhotoSet]:
    """Return the enrolled and the asked pictures of Lake's runs."""
    test = version.select(split="test")
    gallery, queries = (load_photos(test.select(role=role), preprocessing) for role in ("gallery", "query"))
    return gallery, queries


def development_questions(version: DatasetVersion, preprocessing: Preprocessing) -> tuple[PhotoSet, PhotoSet]:
    """Return the enrolled and the asked pictures of runs that are made of the validation alphabets, as Lake's are.

    A run takes up to 20 characters of one alphabet, and the drawings of one person to enrol and of another to ask: the
    drawings of every character are in the order of the 20 people who drew the alphabet.
    """
    heldout = version.select(split="validation")
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(heldout.column("label")):
        rows_of[label].append(row)
    alphabets = sorted({run_of(label) for label in rows_of})
    rng = np.random.default_rng(0)
    rows: tuple[list[int], list[int]] = ([], [])
    labels: list[str] = []
    for number in range(RUNS):
        alphabet = alphabets[number % len(alphabets)]
        characters = [label for label in sorted(rows_of) if run_of(label) == alphabet]
        drawn = rng.choice(len(characters), min(WAYS, len(characters)), replace=False)
        people = rng.choice(min(len(rows_of[label]) for label in characters), 2, replace=False)
        for part, person in zip(rows, people, strict=True):
            part += [rows_of[characters[character]][person] for character in drawn]
        labels += [f"run{number:02d}/{characters[character].rpartition('/')[2]}" for character in drawn]
    gallery, queries = (load_photos(heldout.take(part), preprocessing) for part in rows)
    return PhotoSet(gallery.pixels, tuple(labels)), PhotoSet(queries.pixels, tuple(labels))


def run_of(label: str) -> str:
    """Return the run of a label: the part before the slash."""
    return label.rpartition("/")[0]


if __name__ == "__main__":
    main()
