"""From the answers of labellers to labels: which rows count, and which of several opinions.

Rules kept:
- only rows whose status in the workflow is one of those asked for count;
- where the workflow chose a label, it alone counts; else a benchmark does; else all of them do;
- whole pictures: labellers who disagree give the picture each of their labels, and cleaning withholds and reports it;
- boxes: labellers who disagree on what is there leave the picture unlabelled, for it is not known whose box is whose;
- boxes: a picture that counts, and in which labellers drew nothing, is empty; one that they skipped is not;
- a row that does not count, or that is no image, is a picture without a label, and is reported as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from discern.errors import ConfigError, DataError
from discern.sources.base import UNSTATED, Provenance
from discern.sources.labelbox.config import LabelboxReading
from discern.sources.labelbox.export import BoxLabel, ExportedAnswer, Labelling, Picture
from discern.sources.names import clean_label
from edge_runtime.core.images import Box

BENCHMARK = "benchmark"


class Instance(NamedTuple):
    """One labelled thing in a picture; without a box it is the whole picture.

    Attributes:
        label: None in an empty picture, and where nobody has said.
        box: pixels of a picture of the stated size.
        provenance: who labelled.
        empty: labellers looked and drew nothing.
        note: why it has no label.
        fault: why it cannot be used.
    """

    label: str | None
    box: Box | None
    provenance: Provenance = UNSTATED
    empty: bool = False
    note: str | None = None
    fault: str | None = None


Instances = tuple[Instance, ...]
UNLABELLED: Instances = (Instance(None, None),)


def instances(pictures: Iterable[Picture], config: LabelboxReading, location: str) -> list[tuple[Picture, Instances]]:
    """Return the instances of each picture, without the pictures that the config leaves out.

    Args:
        pictures: rows of one project; their labellings are dropped from what is returned.
        config: which answers are labels.
        location: the export or project, for messages.

    Raises:
        ConfigError: no row answers the question that the config names, or it names none of several.
        DataError: the export does not tell which rows passed review, or a label is unfit.
    """
    rows = list(pictures)
    _check_statuses(rows, config, location)
    question = _box_question(rows, config, location) if config.objects else _picture_question(rows, config, location)
    labelled = []
    for row in rows:
        instances_of_row = _instances(row, config, question)
        if instances_of_row != UNLABELLED or config.unreviewed == "report" or not row.is_image:
            labelled.append((row._replace(labellings=()), instances_of_row))
    return labelled


def _check_statuses(rows: Sequence[Picture], config: LabelboxReading, location: str) -> None:
    if config.statuses and any(row.labellings for row in rows) and not any(row.tells_status for row in rows):
        raise DataError(
            f"{location} does not tell which rows passed review: export it again with project details, or set statuses "
            "to [] to take all labels."
        )


def _picture_question(rows: Sequence[Picture], config: LabelboxReading, location: str) -> str | None:
    """Return the name of the question that labels whole pictures; None where nobody answered any yet."""
    answers = [answer for labelling in _labellings(rows) for answer in labelling.answers]
    if config.question is not None:
        _check_answered("question", config.question, answers, location)
        return config.question
    outermost = {answer.question for answer in answers if answer.depth == 0}
    if len(outermost) > 1:
        raise ConfigError(
            f"{location} has several radio questions ({_questions(answers)}): name the one that labels as `question`."
        )
    if outermost:
        return outermost.pop()
    if any(labelling.boxes for labelling in _labellings(rows)):
        raise ConfigError(f"{location} has bounding boxes and no radio question: set objects to true.")
    return None


def _box_question(rows: Sequence[Picture], config: LabelboxReading, location: str) -> str | None:
    """Return the name of the question that labels boxes; None where a box's own name does."""
    if config.object_question is None:
        return None
    boxes = [box for labelling in _labellings(rows) for box in labelling.boxes]
    answers = [answer for box in boxes for answer in box.answers]
    _check_answered("object_question", config.object_question, answers, location)
    return config.object_question


def _check_answered(setting: str, question: str, answers: Sequence[ExportedAnswer], location: str) -> None:
    if answers and not any(_is_answer_to(answer, question) for answer in answers):
        raise ConfigError(f"{setting} {question!r} is answered on no row of {location}: it has {_questions(answers)}.")


def _labellings(rows: Iterable[Picture]) -> Iterator[Labelling]:
    for row in rows:
        yield from row.labellings


def _questions(answers: Iterable[ExportedAnswer]) -> str:
    return ", ".join(sorted({answer.question for answer in answers}))


def _is_answer_to(answer: ExportedAnswer, question: str | None) -> bool:
    """Return True if an answer is to this question, by the question's name or value."""
    return question in {answer.question, answer.key}


def _instances(picture: Picture, config: LabelboxReading, question: str | None) -> Instances:
    if picture.fault is not None:
        return (Instance(None, None, fault=picture.fault),)
    is_reviewed = not config.statuses or picture.status in config.statuses
    if not is_reviewed or not picture.is_image:
        return UNLABELLED
    labellings = _valid(picture)
    where = f"data row {picture.id}"
    if config.objects:
        return _things(picture, labellings, question, where)
    return _labelled_picture(labellings, question, where) or _unanswered(picture)


def _unanswered(picture: Picture) -> Instances:
    """Return a picture whose question has no answer, with the reason where it has answers of another kind."""
    if not picture.other_questions:
        return UNLABELLED
    asked = ", ".join(picture.other_questions)
    note = (
        f"data row {picture.id} is answered by {asked} alone, which is no radio question, and a checklist or a text "
        "gives no one label: ask a radio question."
    )
    return (Instance(None, None, note=note),)


def _things(picture: Picture, labellings: tuple[Labelling, ...], question: str | None, where: str) -> Instances:
    """Return the things in a picture; the picture alone where there are none, or labellers disagree."""
    if things := _labelled_boxes(labellings, question, where):
        return things
    if any(labelling.boxes for labelling in labellings):
        note = f"{where} has labellers who disagree on what is there: choose one of their labels in Labelbox."
        return (Instance(None, None, note=note),)
    is_done = picture.status == "DONE" and not picture.is_skipped
    if labellings or is_done:
        return (Instance(None, None, labellings[0].provenance if labellings else UNSTATED, empty=True),)
    return UNLABELLED


def _valid(picture: Picture) -> tuple[Labelling, ...]:
    """Return the labellings that count: the one that the workflow chose, else benchmarks, else all."""
    chosen = tuple(labelling for labelling in picture.labellings if labelling.id == picture.winner)
    benchmarks = tuple(labelling for labelling in picture.labellings if labelling.kind.lower() == BENCHMARK)
    return chosen or benchmarks or picture.labellings


def _labelled_picture(labellings: Iterable[Labelling], question: str | None, where: str) -> Instances:
    """Return the whole picture under each label that a labeller gave it."""
    first_by: dict[str, Provenance] = {}  # who gave a label first
    for labelling in labellings:
        for text in _texts(labelling.answers, question):
            first_by.setdefault(text, labelling.provenance)
    return tuple(Instance(clean_label(text, where), None, first_by[text]) for text in sorted(first_by))


def _labelled_boxes(labellings: Iterable[Labelling], question: str | None, where: str) -> Instances:
    """Return the boxes of the first labeller; none where labellers disagree on the labels."""
    opinions = [
        tuple(_labelled_box(box, question, where)._replace(provenance=labelling.provenance) for box in labelling.boxes)
        for labelling in labellings
    ]
    counts = [Counter(instance.label for instance in opinion) for opinion in opinions]
    if not opinions or any(count != counts[0] for count in counts):
        return ()
    return opinions[0]


def _labelled_box(box: BoxLabel, question: str | None, where: str) -> Instance:
    if question is None:
        return Instance(clean_label(box.name, where), box.box, fault=box.fault)
    texts = _texts(box.answers, question)
    return Instance(clean_label(texts.pop(), where) if len(texts) == 1 else None, box.box, fault=box.fault)


def _texts(answers: Iterable[ExportedAnswer], question: str | None) -> set[str]:
    return {answer.text for answer in answers if _is_answer_to(answer, question)}
