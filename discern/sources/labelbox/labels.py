"""From what labellers said to labels: which rows count, and which of several opinions.

Rules kept:
- only rows whose status in the workflow is one of those asked for count;
- where the workflow chose a label, it alone counts; else a benchmark does; else all of them do;
- whole pictures: labellers who disagree give the picture each of their labels, and cleaning withholds and reports it;
- boxes: labellers who disagree on what is there leave the picture unlabelled, for it is not known whose box is whose;
- a row that does not count, or that is no image, is a picture without a label, and is reported as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from discern.errors import ConfigError, DataError
from discern.sources.base import UNSTATED, Provenance
from discern.sources.labelbox.config import LabelboxReading
from discern.sources.labelbox.export import ExportedAnswer, Labelling, Picture
from discern.sources.names import clean_label
from edge_runtime.core.images import Box

BENCHMARK = "benchmark"


class Thing(NamedTuple):
    """One labelled thing; without a box it is the whole picture."""

    label: str | None
    box: Box | None
    provenance: Provenance = UNSTATED


UNKNOWN = (Thing(None, None),)


def things(pictures: Iterable[Picture], config: LabelboxReading, place: str) -> list[tuple[Picture, tuple[Thing, ...]]]:
    """The things of each picture; those that are left out altogether are not among them.

    Args:
        pictures: rows of one project; their labellings are dropped from what is returned.
        config: which answers are labels.
        place: the export or project, for messages.

    Raises:
        ConfigError: no row answers the question that the config names, or it names none of several.
        DataError: the export does not tell which rows passed review, or a label is unfit.
    """
    rows = list(pictures)
    _check_statuses(rows, config, place)
    question = _question(rows, config, place)
    found = []
    for picture in rows:
        shown = _things(picture, config, question)
        if shown == UNKNOWN and config.unreviewed == "ignore" and picture.is_image:
            continue
        found.append((picture._replace(labellings=()), shown))
    return found


def _check_statuses(rows: list[Picture], config: LabelboxReading, place: str) -> None:
    if config.statuses and any(row.labellings for row in rows) and not any(row.tells_status for row in rows):
        raise DataError(
            f"{place} does not tell which rows passed review: export it again with project details, or set statuses "
            "to [] to take all labels."
        )


def _question(rows: list[Picture], config: LabelboxReading, place: str) -> str | None:
    """The question's name; None where labels are the names of boxes, or nobody answered anything yet."""
    asked = _asked(rows, config)
    wanted = config.object_question if config.objects else config.question
    setting = "object_question" if config.objects else "question"
    known = ", ".join(sorted({question for question, _, _ in asked}))
    if wanted is not None:
        if asked and all(wanted not in {question, key} for question, key, _ in asked):
            raise ConfigError(f"{setting} {wanted!r} is answered on no row of {place}: it has {known}.")
        return wanted
    if config.objects:
        return None
    first = {question for question, _, depth in asked if depth == 0}
    if len(first) > 1:
        raise ConfigError(f"{place} has several radio questions ({known}): name the one that labels as `question`.")
    if not first and any(labelling.marks for row in rows for labelling in row.labellings):
        raise ConfigError(f"{place} has bounding boxes and no radio question: set objects to true.")
    return first.pop() if first else None


def _asked(rows: list[Picture], config: LabelboxReading) -> set[tuple[str, str, int]]:
    """Name, value and depth of all questions that somebody answered."""
    return {
        (answer.question, answer.key, answer.depth)
        for row in rows
        for labelling in row.labellings
        for answers in ([mark.answers for mark in labelling.marks] if config.objects else [labelling.answers])
        for answer in answers
    }


def _things(picture: Picture, config: LabelboxReading, question: str | None) -> tuple[Thing, ...]:
    counts = not config.statuses or picture.status in config.statuses
    labellings = _valid(picture) if counts and picture.is_image else ()
    where = f"data row {picture.id}"
    if not config.objects:
        by_text: dict[str, Provenance] = {}
        for labelling in labellings:
            for text in sorted(_texts(labelling.answers, question)):
                by_text.setdefault(text, labelling.provenance)
        return tuple(Thing(clean_label(text, where), None, by_text[text]) for text in sorted(by_text)) or UNKNOWN
    opinions = [
        [Thing(_name(mark.name, mark.answers, config, where), mark.box, one.provenance) for mark in one.marks]
        for one in labellings
    ]
    if not opinions or any(_names(other) != _names(opinions[0]) for other in opinions):
        return UNKNOWN
    return tuple(opinions[0]) or UNKNOWN


def _valid(picture: Picture) -> tuple[Labelling, ...]:
    for chosen in (
        tuple(one for one in picture.labellings if one.id == picture.winner),
        tuple(one for one in picture.labellings if one.kind.lower() == BENCHMARK),
    ):
        if chosen:
            return chosen
    return picture.labellings


def _texts(answers: tuple[ExportedAnswer, ...], question: str | None) -> set[str]:
    return {answer.text for answer in answers if question in {answer.question, answer.key}}


def _name(name: str, answers: tuple[ExportedAnswer, ...], config: LabelboxReading, where: str) -> str | None:
    if config.object_question is None:
        return clean_label(name, where)
    texts = _texts(answers, config.object_question)
    return clean_label(texts.pop(), where) if len(texts) == 1 else None


def _names(opinion: list[Thing]) -> Counter[str | None]:
    return Counter(thing.label for thing in opinion)
