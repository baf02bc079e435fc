"""Measure how fast this machine trains on the photos at hand, by a few steps of the real trainings."""

from __future__ import annotations

import torch

from discern.learning.config import TrainingConfig
from discern.learning.recipes import distil_student, train_on_labels
from discern.use_cases.look import Look
from discern.use_cases.proposal import Speed
from discern.use_cases.recipe import DISTILLATION, recipe_for
from discern.use_cases.stopwatch import Stopwatch

STEPS = 4  # of each training; a first one takes longer than the others


def measure_speed(look: Look) -> Speed:
    """Train what is proposed for a few steps on the photos that were looked at; nothing is kept.

    Raises:
        TrainingError: they cannot be trained on.
    """
    recipe = recipe_for(look.summary)
    quiet_look = look.ingest.quiet(), look.check.quiet()
    if recipe.student is None:
        slowdown = (look.ingest.wall + look.check.wall) / max(sum(quiet_look), 1e-6)
        return Speed(*quiet_look, teacher_step=0.0, student_step=0.0, slowdown=max(1.0, slowdown))
    teaching, learning = Stopwatch(), Stopwatch()
    taught = None
    if recipe.teacher is not None:
        with teaching:
            taught = train_on_labels(look.version, recipe.image.preprocessing, _few_steps(recipe.teacher)).model
    with learning:
        if taught is None:
            train_on_labels(look.version, recipe.image.preprocessing, _few_steps(recipe.student))
        else:
            distil_student(look.version, _few_steps(recipe.student), DISTILLATION, taught)
    quiet = _quiet(teaching), _quiet(learning)
    return Speed(
        *quiet_look,
        teacher_step=quiet[0] / STEPS,
        student_step=quiet[1] / STEPS,
        slowdown=(teaching.wall + learning.wall) / sum(quiet),
    )


def _few_steps(training: TrainingConfig) -> TrainingConfig:
    """Return a training as long as a probe, from scratch, which takes as long as from weights."""
    model = training.model.model_copy(update={"weights": None})
    # Models that hardly learnt embed everything alike: no reason to stop here.
    return training.model_copy(update={"model": model, "steps": STEPS, "least_rank": 1.0})


def _quiet(watch: Stopwatch) -> float:
    """Return the seconds that a training would take where nothing else runs; a GPU is taken to be quiet."""
    return watch.wall if torch.cuda.is_available() else watch.quiet(torch.get_num_threads())
