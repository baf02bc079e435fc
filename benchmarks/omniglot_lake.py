"""`python -m benchmarks.omniglot_lake --photos PATH`: Lake's 20 within-alphabet one-shot runs (Science 350, 2015).

Trained on the background alphabets alone. In every run a drawing of each of 20 characters is enrolled and another of
each is asked, and compared within its run. Published errors: ProtoNet .137, a simple ConvNet .135, RCN .073, people
.045, BPL .033 (Lake, Salakhutdinov, Tenenbaum, Current Opinion in Behavioral Sciences 29, 2019).
"""

from __future__ import annotations

import numpy as np

from benchmarks.distillation import gap_figures
from benchmarks.learning import keep, learn, options, read_recipe, read_version, sample_std
from discern.datasets.photo_set import load_photos
from discern.evaluation.episodes import within_group_error

COMMAND = "python -m benchmarks.omniglot_lake --photos PATH"


def main() -> None:
    """Train teacher and student, and measure both on the 400 questions."""
    chosen = options(__doc__, "folder or zip of Omniglot", seeds=True)
    recipe = read_recipe("omniglot", {"OMNIGLOT": chosen.photos}).with_trainings(steps=chosen.steps)
    work = chosen.work / "omniglot_lake"
    version = read_version(recipe, work)
    test = version.select(split="test")
    gallery, queries = (
        load_photos(test.select(role=role), recipe.image.preprocessing) for role in ("gallery", "query")
    )
    runs_of_seeds = []
    for seed in range(chosen.seeds):
        models = learn(recipe.with_trainings(seed=seed), version, work / str(seed))
        runs = [
            within_group_error(embed(gallery.pixels), gallery.labels, embed(queries.pixels), queries.labels, run_of)
            for _, embed in models.parts()
        ]
        runs_of_seeds.append(runs)
    figures: dict[str, float | int | None] = {"questions": len(queries.labels), "seeds": chosen.seeds}
    for number, name in enumerate(("teacher", "student")):
        errors = [runs[number].error for runs in runs_of_seeds]
        figures |= {f"{name}_error": float(np.mean(errors)), f"{name}_error_spread": sample_std(errors)}
    teacher, student = (np.array(run.right) for run in runs_of_seeds[0])
    figures |= gap_figures(teacher, student, queries.labels, models.macs_ratio)
    keep("omniglot_lake", figures, COMMAND, chosen)


def run_of(label: str) -> str:
    """Return the run of a label: the part before the slash."""
    return label.rpartition("/")[0]


if __name__ == "__main__":
    main()
