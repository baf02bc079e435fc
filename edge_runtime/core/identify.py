"""The answer to a photo: one of the enrolled classes, two to look at closely, or unknown.

Rules kept:
- `unknown` is an answer: it is given below the calibrated threshold;
- restricting the candidates never turns a foreign object into the nearest candidate: where a class outside them scores
  higher, the answer is unknown;
- a photo outside the release's limits names nothing: its scores are those of the dark or of the blur;
- the probability is None where it would not mean what it says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.core.answer import Answer, Match, explain
from edge_runtime.core.decision import (
    LOWEST_COSINE,
    Calibrator,
    DecisionRule,
    Reason,
    decide,
    reasons,
    right_probability,
    score_and_margin,
)
from edge_runtime.core.embedder import OnnxEmbedder
from edge_runtime.core.images import Box, ImageLimits, Pixels, decode
from edge_runtime.core.index import NO_CLASS, GalleryIndex
from edge_runtime.core.photo_limits import unusable
from edge_runtime.core.release import Release
from edge_runtime.errors import SettingsError

# Identification is imported from here, whichever module holds a part of it.
__all__ = [
    "LOWEST_COSINE",
    "Answer",
    "Calibrator",
    "DecisionRule",
    "Identifier",
    "Instance",
    "Match",
    "decide",
    "reasons",
    "right_probability",
    "score_and_margin",
    "split_candidates",
]

Vectors = NDArray[np.float32]

TOP_K = 5  # matches shown with an answer
BATCH = 32  # photos embedded at once


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
        self.rule = release.manifest.decision.build()
        calibration = release.manifest.calibration
        self.calibrator = None if calibration is None else calibration.build()
        self.photo_limits = release.photo_limits
        self.model = OnnxEmbedder(release.embedding_model, release.preprocessing, threads)
        self.index = GalleryIndex.load(
            release.folder, release.gallery_layout, release.dim, release.index_parameters, release.class_offsets
        )
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
        rgb = decode(data, name, self.limits)
        pixels = self.release.preprocessing.apply(rgb)
        (answer,) = self.answer_embeddings(self.model.embed(pixels[None]), candidates)
        problem = unusable(rgb, pixels, self.release.preprocessing, self.photo_limits)
        if not problem:
            return answer
        return replace(answer, reason="unusable_photo", explanation=problem, probability=None)

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
        """Answer for embeddings [q, d] of unit length, whatever their photos look like.

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
        # Fitted on searches of the whole gallery, so it takes the scores of one, whatever the candidates are.
        probabilities = None if self.calibrator is None else right_probability(scores, self.calibrator)
        why = reasons(shown, self.rule, probabilities)
        # An outsider that is itself below the threshold explains nothing: then the reason is the threshold.
        outsider_counts = outside & (reasons(scores, self.rule, probabilities) != "below_threshold")
        answers = []
        for row, reason in enumerate(np.where(outsider_counts, "outside_candidates", why).tolist()):
            outsider = self.release.labels[ids[row, 0]] if outside[row] else None
            probability = None if probabilities is None or outside[row] else float(probabilities[row])
            answers.append(self._answer(reason, self._matches(shown_ids[row], shown[row]), probability, outsider))
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

    def _matches(self, ids: NDArray[np.int64], scores: Vectors) -> tuple[Match, ...]:
        labels = self.release.labels
        return tuple(
            Match(labels[number], float(score)) for number, score in zip(ids, scores, strict=True) if number != NO_CLASS
        )

    def _answer(
        self, reason: Reason, matches: tuple[Match, ...], probability: float | None, outsider: str | None
    ) -> Answer:
        best = matches[0].score
        margin = best - (matches[1].score if len(matches) > 1 else LOWEST_COSINE)
        explanation = explain(reason, matches, self.rule, probability, outsider)
        return Answer(best, margin, matches, reason, self.release.id, explanation, probability)
