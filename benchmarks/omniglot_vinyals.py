"""`python -m benchmarks.omniglot_vinyals --photos PATH`: episodes of the Vinyals split (NIPS 2016), turned classes too.

Trained on 1,028 characters, asked about 423 others, each of them four times: turned by quarters, as is the custom since
Santoro et al. (ICML 2016). ProtoNet (Snell, Swersky, Zemel, NIPS 2017): .988, .997 (5-way, 1 and 5 shots), .960, .989
(20-way). `among_all` is the gap where all 1,692 classes are told apart by one shot. `_half_width` is over the episodes,
as is the custom; `_low` and `_high` are the ends of the 95 % interval over the characters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.distillation import gap_figures
from benchmarks.intervals import share_figures
from benchmarks.learning import Embed, LearningParser, Vectors, keep, learn, read_recipe, read_version
from discern.datasets.photo_set import load_photos
from discern.evaluation.episodes import Episodes, play_episodes
from discern.learning.batches import Views

TASKS = ((5, 1), (5, 5), (20, 1), (20, 5))  # ways, shots
HARDEST = (20, 1)  # where teacher and student are compared query by query
QUERIES = 15  # of each class
EPISODES = 1000


def main() -> None:
    """Train teacher and student, and put both through the same episodes."""
    run = LearningParser(
        "omniglot_vinyals",
        __doc__,
        use_cases=("omniglot_vinyals",),
        photos="folder or zip of Omniglot",
        development="the 172 validation characters, which no reported figure uses",
    ).start()
    chosen = run.options
    recipe = read_recipe("omniglot_vinyals", {"OMNIGLOT": chosen.photos}).with_trainings(steps=chosen.steps)
    work = chosen.work / "omniglot_vinyals"
    version = read_version(recipe, work)
    models = learn(recipe, version, work / "0")
    asked = version.select(split="validation" if chosen.development else "test")
    views = Views.of(load_photos(asked, recipe.image.preprocessing), "rotations")
    figures: dict[str, float | int | None] = {"episodes": EPISODES, "queries_per_class": QUERIES}
    hardest, among_all = {}, {}
    for name, embed in models.parts().items():
        vectors, class_ids = _embed(embed, views), views.class_ids()
        for ways, shots in TASKS:
            played = play_episodes(vectors, class_ids, ways=ways, shots=shots, queries=QUERIES, episodes=EPISODES)
            accuracy, task = played.accuracy(), f"{name}_{ways}way_{shots}shot"
            figures |= share_figures(task, played.hits.reshape(-1), _asked(played, views))
            figures[f"{task}_half_width"] = accuracy.half_width
            if (ways, shots) == HARDEST:
                hardest[name] = played
        among_all[name] = _nearest_is_right(vectors, class_ids)
    teacher, student = (played.hits.reshape(-1) for played in hardest.values())
    figures |= gap_figures(teacher, student, _asked(hardest["teacher"], views), models.macs_ratio)
    query_classes = views.class_ids()[_queries(views.class_ids())]
    characters = _characters(query_classes, views)
    harder = gap_figures(among_all["teacher"], among_all["student"], characters, models.macs_ratio)
    figures |= {f"among_all_{name}": value for name, value in harder.items() if name.startswith("gap")}
    keep(run, figures, recipe)


def _embed(embed: Embed, views: Views) -> Vectors:
    return embed(views.pixels(np.arange(len(views))))


def _asked(played: Episodes, views: Views) -> list[str]:
    """Return the character of each query of episodes."""
    return _characters(np.repeat(played.class_ids.reshape(-1), QUERIES), views)


def _characters(class_ids: NDArray[np.int64], views: Views) -> list[str]:
    """Return the character of each class, which the interval draws: its four turns show the same drawings."""
    return (class_ids // views.turns).astype(str).tolist()


def _queries(class_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Choose all but the first view of every class, [n]; the first is enrolled."""
    chosen = np.ones(len(class_ids), dtype=bool)
    chosen[np.unique(class_ids, return_index=True)[1]] = False
    return chosen


def _nearest_is_right(vectors: Vectors, class_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether each query is nearest to the first view of its own class, among all classes, [q]."""
    queries = _queries(class_ids)
    nearest = (vectors[queries] @ vectors[~queries].T).argmax(axis=1)
    right: NDArray[np.bool_] = class_ids[~queries][nearest] == class_ids[queries]
    return right


if __name__ == "__main__":
    main()
