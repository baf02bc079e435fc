"""`python -m benchmarks.omniglot_vinyals --photos PATH`: episodes of the Vinyals split (NIPS 2016), turned classes too.

Trained on 1,028 characters, asked about 423 others, each of them four times: turned by quarters, as is the custom since
Santoro et al. (ICML 2016). ProtoNet (Snell, Swersky, Zemel, NIPS 2017): .988, .997 (5-way, 1 and 5 shots), .960, .989
(20-way).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.distillation import gap_figures
from benchmarks.learning import Embed, Vectors, keep, learn, options, read_recipe, read_version
from discern.evaluation.episodes import episode_accuracy
from discern.learning.batches import Views, load_photos

COMMAND = "python -m benchmarks.omniglot_vinyals --photos PATH"
TASKS = ((5, 1), (5, 5), (20, 1), (20, 5))  # ways, shots
QUERIES = 15  # of each class
EPISODES = 1000


def main() -> None:
    """Train teacher and student, and put both through the same episodes."""
    chosen = options(__doc__, "folder or zip of Omniglot")
    recipe = read_recipe("omniglot_vinyals", {"OMNIGLOT": chosen.photos}).with_trainings(steps=chosen.steps)
    work = chosen.work / "omniglot_vinyals"
    version = read_version(recipe, work)
    models = learn(recipe, version, work / "0")
    views = Views.of(load_photos(version.select(split="test"), recipe.image.preprocessing), "rotations")
    figures: dict[str, float | int | None] = {"episodes": EPISODES, "queries_per_class": QUERIES}
    right = {}
    for name, embed in models.parts():
        vectors = _embed(embed, views)
        figures |= _episodes(name, vectors, views.class_ids())
        right[name] = _nearest_is_right(vectors, views.class_ids())
    # A character's four turns show the same drawings: the interval draws them together.
    classes = [str(class_id // views.turns) for class_id in views.class_ids()[_asked(views.class_ids())]]
    figures |= gap_figures(right["teacher"], right["student"], classes, models.macs_ratio)
    keep("omniglot_vinyals", figures, COMMAND, chosen)


def _embed(embed: Embed, views: Views) -> Vectors:
    return embed(views.pixels(np.arange(len(views))))


def _episodes(name: str, vectors: Vectors, class_ids: NDArray[np.int64]) -> dict[str, float]:
    figures = {}
    for ways, shots in TASKS:
        found = episode_accuracy(vectors, class_ids, ways=ways, shots=shots, queries=QUERIES, episodes=EPISODES)
        figures[f"{name}_{ways}way_{shots}shot"] = found.mean
        figures[f"{name}_{ways}way_{shots}shot_half_width"] = found.half_width
    return figures


def _asked(class_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """All but the first view of every class, [n]: that one is enrolled."""
    asked = np.ones(len(class_ids), dtype=bool)
    asked[np.unique(class_ids, return_index=True)[1]] = False
    return asked


def _nearest_is_right(vectors: Vectors, class_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each asked view is nearest to its own class's first view among all classes, [q]."""
    asked = _asked(class_ids)
    nearest = (vectors[asked] @ vectors[~asked].T).argmax(axis=1)
    right: NDArray[np.bool_] = class_ids[~asked][nearest] == class_ids[asked]
    return right


if __name__ == "__main__":
    main()
