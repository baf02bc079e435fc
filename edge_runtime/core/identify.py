"""The answer to a photo: one of the enrolled classes, or unknown.

Rules kept:
- `unknown` is an answer: it is given below the calibrated threshold and inside the calibrated margin;
- restricting the candidates never turns a foreign object into the nearest candidate: where a class outside them scores
  higher, the answer is unknown;
- the probability is a second opinion: it never changes the decision, and is None where it would not mean what it says;
- evaluation, promotion and the device all decide with `decide` and state probabilities with `right_probability`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Box, ImageLimits, Pixels, decode
from edge_runtime.core.index import NO_CLASS, GalleryIndex
from edge_runtime.core.release import Release
from edge_runtime.errors import SettingsError

Reason = Literal["match", "below_threshold", "within_margin", "outside_candidates"]
Vectors = NDArray[np.float32]

TOP_K = 5  # matches shown with an answer
BATCH = 32  # photos embedded at once
LOWEST_COSINE = -1.0


@dataclass(frozen=True)
class DecisionRule:
    """When an answer is known.

    Args:
        threshold: the least cosine of the best class.
        margin: the least distance from the second class's cosine.
        fpir: the false-identification rate that the two were fitted for.
    """

    threshold: float
    margin: float
    fpir: float


@dataclass(frozen=True)
class Calibrator:
    """The probability that the best class is right: a logistic function of its score and margin (Platt 1999).

    log(p / (1 - p)) = score * best cosine + margin * (best - second cosine) + intercept. It holds where unknowns are
    as frequent as among the queries that it was fitted on.
    """

    score: float
    margin: float
    intercept: float


@dataclass(frozen=True)
class Match:
    """A class and the cosine of its best gallery item."""

    label: str
    score: float


@dataclass(frozen=True)
class Answer:
    """The identification of one thing: a whole photo, or what is inside a box of it.

    Attributes:
        known: whether the decision rule accepts the best class.
        label: that class, or None where the answer is unknown.
        score: the best cosine.
        margin: the distance from the second best class; from the lowest cosine, -1, where there is none.
        matches: the best classes, best first.
        reason: why it is known or unknown, for programs.
        release: id of the release that answered.
        explanation: why it is known or unknown, for people.
        probability: that the best class is right; None where the release has no calibrator, or where a class outside
            the candidates scores higher.
    """

    known: bool
    label: str | None
    score: float
    margin: float
    matches: tuple[Match, ...]
    reason: Reason
    release: str
    explanation: str = ""
    probability: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Instance:
    """One thing on a photo.

    Attributes:
        box: (left, top, right, bottom) in pixels of the upright photo; None for the whole photo.
        objectness: the localiser's score of the box, 0 to 1; None where no localiser looked.
        answer: the identification of what is inside the box.
    """

    box: Box | None
    objectness: float | None
    answer: Answer


def decide(scores: NDArray[np.float32], rule: DecisionRule) -> NDArray[np.bool_]:
    """Apply the decision rule.

    Args:
        scores: [q, k] cosines of the best classes, best first; -inf where there is no such class.
        rule: the calibrated rule.

    Returns:
        [q], True where the best class is accepted. With one class there is no second to be confused with, and only
        the threshold counts.
    """
    best, second = _best_two(scores)
    # Written as sums: -inf - -inf is not a number.
    known: NDArray[np.bool_] = (best >= rule.threshold) & (best >= second + rule.margin) & np.isfinite(best)
    return known


def score_and_margin(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the two numbers that the calibrator looks at.

    Args:
        scores: [q, k] cosines of the best classes, best first; -inf where there is no such class.

    Returns:
        [q, 2], the best cosine and its distance from the second; from the lowest cosine, -1, where there is none.
    """
    best, second = _best_two(scores.astype(np.float64))
    return np.stack([best, best - np.maximum(second, LOWEST_COSINE)], axis=1)


def right_probability(scores: NDArray[np.float32], calibrator: Calibrator) -> NDArray[np.float64]:
    """The probability that the best class is right, [q], of scores as for `score_and_margin`."""
    logits = score_and_margin(scores) @ [calibrator.score, calibrator.margin] + calibrator.intercept
    # By tanh, which does not overflow where exp does.
    probability: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return probability


def _best_two(scores: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    best = scores[:, 0]
    return best, scores[:, 1] if scores.shape[1] > 1 else np.full_like(best, -np.inf)


def split_candidates(texts: Sequence[str] | None, labels: Collection[str]) -> list[str] | None:
    """Return the candidates in `texts`, each of which is a label, or labels with commas between them.

    A label may itself hold a comma, so a text that is a label is never split.
    """
    if texts is None:
        return None
    candidates = []
    for text in texts:
        parts = [text] if text in labels else [part.strip() for part in text.split(",")]
        candidates += [part for part in parts if part]
    return candidates


class Identifier:
    """A loaded release that answers. Safe to share between threads.

    Args:
        release: a release whose files were checked.
        threads: onnxruntime's threads for one call.
        limits: what is accepted as a photo.

    Raises:
        ReleaseError: the release cannot be loaded.
    """

    def __init__(self, release: Release, threads: int = 1, limits: ImageLimits | None = None) -> None:
        self.release = release
        self.rule = DecisionRule(**release.manifest.decision.model_dump())
        calibration = release.manifest.calibration
        self.calibrator = None if calibration is None else Calibrator(**calibration.model_dump())
        self.model = OnnxEmbedder(release.embedding_model, release.preprocessing, threads)
        self.index = GalleryIndex.load(release.folder, release.gallery_classes, release.dim, release.index_parameters)
        self.limits = limits or ImageLimits()
        self.class_ids = {label: number for number, label in enumerate(release.labels)}

    def identify(self, data: bytes, candidates: Collection[str] | None = None, name: str = "the photo") -> Answer:
        """Answer for one encoded photo.

        Args:
            data: the encoded bytes.
            candidates: labels that the answer is restricted to; all classes if None.
            name: what an error's message calls the photo.

        Raises:
            ImageError: the photo cannot be used.
            SettingsError: a candidate is not a class of this release.
        """
        return self.answer_embeddings(self.embed([data], [name]), candidates)[0]

    def find(self, data: bytes, candidates: Collection[str] | None = None, name: str = "the photo") -> list[Instance]:
        """Answer for each thing on one encoded photo.

        A photo is one instance, the whole of it: no localiser runs yet, whether the release carries one or not. The
        service does not offer this list over HTTP before one does.

        Raises:
            ImageError: the photo cannot be used.
            SettingsError: a candidate is not a class of this release.
        """
        return [Instance(box=None, objectness=None, answer=self.identify(data, candidates, name))]

    def embed(self, images: Sequence[bytes], names: Sequence[str] | None = None) -> Vectors:
        """Decode, preprocess and embed encoded photos as [n, d] float32 of unit length.

        Raises:
            ImageError: a photo cannot be used.
        """
        names = names or [f"photo {number}" for number in range(1, len(images) + 1)]
        vectors = [np.empty((0, self.model.dim), np.float32)]
        for start in range(0, len(images), BATCH):
            batch = zip(images[start : start + BATCH], names[start : start + BATCH], strict=True)
            vectors.append(self.model.embed(np.stack([self._pixels(data, name) for data, name in batch])))
        return np.concatenate(vectors)

    def answer_embeddings(self, vectors: Vectors, candidates: Collection[str] | None = None) -> list[Answer]:
        """Answer for embeddings [q, d] of unit length.

        Raises:
            SettingsError: a candidate is not a class of this release.
        """
        ids, scores = self.index.best_classes(vectors, TOP_K)
        if candidates is None:
            outside = np.zeros(len(ids), dtype=bool)
            shown_ids, shown = ids, scores
        else:
            among = self._candidate_ids(candidates)
            shown_ids, shown = self.index.best_classes(vectors, TOP_K, among)
            outside = ~np.isin(ids[:, 0], among) & (scores[:, 0] > shown[:, 0])
        known = decide(shown, self.rule) & ~outside
        # An outsider that is itself below the threshold explains nothing: then the reason is the threshold.
        outsider_named = outside & (scores[:, 0] >= self.rule.threshold)
        # Fitted on searches of the whole gallery, so it takes the scores of one, whatever the candidates are.
        probabilities = None if self.calibrator is None else right_probability(scores, self.calibrator)
        answers = []
        for row in range(len(ids)):
            outsider = int(ids[row, 0]) if outsider_named[row] else None
            probability = None if probabilities is None or outside[row] else float(probabilities[row])
            answers.append(self._answer(bool(known[row]), shown_ids[row], shown[row], outsider, probability))
        return answers

    def _pixels(self, data: bytes, name: str) -> Pixels:
        return self.release.preprocessing.apply(decode(data, name, self.limits))

    def _candidate_ids(self, candidates: Collection[str]) -> NDArray[np.int64]:
        if not candidates:
            raise SettingsError("candidates is an empty list: name at least one class, or leave it out to search all.")
        for label in candidates:
            if label not in self.class_ids:
                raise SettingsError(
                    f"candidates: {label!r} is not a class of release {self.release.id}: enrol it first."
                )
        return np.array(sorted({self.class_ids[label] for label in candidates}), dtype=np.int64)

    def _answer(
        self, known: bool, ids: NDArray[np.int64], scores: Vectors, outsider: int | None, probability: float | None
    ) -> Answer:
        labels = self.release.labels
        matches = tuple(
            Match(labels[number], float(score)) for number, score in zip(ids, scores, strict=True) if number != NO_CLASS
        )
        best = matches[0].score
        margin = best - (matches[1].score if len(matches) > 1 else LOWEST_COSINE)
        reason, explanation = self._explain(known, matches, margin, None if outsider is None else labels[outsider])
        label = matches[0].label if known else None
        return Answer(known, label, best, margin, matches, reason, self.release.id, explanation, probability)

    def _explain(
        self, known: bool, matches: tuple[Match, ...], margin: float, outsider: str | None
    ) -> tuple[Reason, str]:
        best, rule = matches[0], self.rule
        if known:
            return "match", f"{best.label} scores {best.score:.3f}, and {rule.threshold:.3f} is needed."
        if outsider is not None:
            return (
                "outside_candidates",
                f"{outsider}, which is not among the candidates, scores higher than any of them.",
            )
        if best.score < rule.threshold:
            return (
                "below_threshold",
                f"The best match, {best.label}, scores {best.score:.3f}, below the {rule.threshold:.3f} needed.",
            )
        second = matches[1].label if len(matches) > 1 else "nothing"
        return (
            "within_margin",
            f"{best.label} and {second} are only {margin:.3f} apart, and {rule.margin:.3f} is needed to tell them.",
        )
