"""Measure how fast this machine trains on the photos at hand, by a few steps of the real trainings."""

from __future__ import annotations

import torch

from discern.learning.recipes import distil_student, train_teacher
from discern.use_cases.look import Look
from discern.use_cases.proposal import DISTILLATION, Speed, image_size, teacher_and_student
from discern.use_cases.stopwatch import Stopwatch

STEPS = 4  # of each training; a first one takes longer than the others


def measure_speed(look: Look) -> Speed:
    """Train teacher and student for a few steps on the photos that were looked at; nothing is kept.

    Raises:
        TrainingError: they cannot be trained on.
    """
    teacher, student = teacher_and_student(look.summary.split)
    image = image_size(look.summary.median_short_side)
    # Models that hardly learnt embed everything alike: no reason to stop here.
    few = {"steps": STEPS, "least_rank": 1.0}
    with Stopwatch() as teaching:
        taught = train_teacher(look.version, image.preprocessing, teacher.model_copy(update=few))
    with Stopwatch() as distilling:
        few_of_student = student.model_copy(update=few)
        distil_student(look.version, few_of_student, DISTILLATION, taught.model)
    quiet = _quiet(teaching), _quiet(distilling)
    return Speed(
        ingest=look.ingest.quiet(),
        checks=look.check.quiet(),
        teacher_step=quiet[0] / STEPS,
        student_step=quiet[1] / STEPS,
        slowdown=(teaching.wall + distilling.wall) / sum(quiet),
    )


def _quiet(watch: Stopwatch) -> float:
    """Return the seconds that a training would take where nothing else runs; a GPU is taken to be quiet."""
    return watch.wall if torch.cuda.is_available() else watch.quiet(torch.get_num_threads())
