"""What enrolment into a release needs without its photos: embeddings of the enrolled photos and of the queries.

The rule is fitted again whenever the gallery changes, and the release's index holds neither the photos behind a mean
nor the queries. The file `enrolment.npz` holds both. It is published beside the release; devices do not fetch it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from discern.errors import PublicationError
from discern.evaluation.calibration import Elsewhere
from discern.evaluation.gallery import Vectors
from discern.evaluation.gallery_doctor import CurvePoint
from discern.evaluation.retrieval import Queries
from edge_runtime.core.release import ENROLMENT_FILE, Release
from edge_runtime.files import sha256_bytes

FORMAT = 1
MEND = "train and promote a new release, then enrol."


@dataclass(frozen=True)
class EnrolledPhotos:
    """The photos of a gallery.

    Attributes:
        vectors: [n, d] float32, unit length.
        labels: n labels.
        sha256: n names of what is enrolled, 64 hex digits: the SHA-256 of a photo, or of a photo and a box in it
            (`DatasetVersion.photo_ids`).
    """

    vectors: Vectors
    labels: list[str]
    sha256: list[str]

    @property
    def named(self) -> list[tuple[str, str]]:
        """The label and the SHA-256 of each photo, which name it."""
        return list(zip(self.labels, self.sha256, strict=True))

    def select(self, chosen: Sequence[bool] | NDArray[np.bool_]) -> EnrolledPhotos:
        """Return the photos where `chosen` [n] is true."""
        rows = np.flatnonzero(np.asarray(chosen, dtype=bool))
        return EnrolledPhotos(
            self.vectors[rows], [self.labels[row] for row in rows], [self.sha256[row] for row in rows]
        )

    def with_further(self, other: EnrolledPhotos) -> EnrolledPhotos:
        """Return these photos, then the others."""
        return EnrolledPhotos(
            np.concatenate([self.vectors, other.vectors]), self.labels + other.labels, self.sha256 + other.sha256
        )


@dataclass(frozen=True)
class EnrolmentData:
    """What enrolment into a release needs.

    Attributes:
        gallery: the enrolled photos.
        validation: the queries that the rule is fitted on.
        test: the queries that the release is measured on, unknowns among them.
        trained_answers: what the release that the last training made answered to each test query: a label, or None
            for `unknown`.
        elsewhere: photos of things that no gallery holds; None where the rule needs none.
        curve: how TPIR grew with the photos of a class when the release was trained; may be empty.
    """

    gallery: EnrolledPhotos
    validation: Queries
    test: Queries
    trained_answers: list[str | None]
    elsewhere: Elsewhere | None = None
    curve: tuple[CurvePoint, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the content of `enrolment.npz`, the same for equal data."""
        arrays: dict[str, NDArray[Any]] = {"gallery": self.gallery.vectors}
        stated: dict[str, Any] = {
            "format": FORMAT,
            "trained_answers": self.trained_answers,
            "curve": [[point.photos, point.tpir] for point in self.curve],
            "gallery": {"labels": self.gallery.labels, "sha256": self.gallery.sha256},
        }
        for name, queries in (("validation", self.validation), ("test", self.test)):
            photos, rows = np.unique(queries.vectors, axis=0, return_inverse=True)
            left_out = np.zeros(len(rows), dtype=bool) if queries.left_out is None else queries.left_out
            arrays |= {name: photos, f"{name}_rows": rows.reshape(-1).astype(np.int32), f"{name}_left_out": left_out}
            stated[name] = {"labels": list(queries.labels), "trained": sorted(queries.trained)}
        if self.elsewhere is not None:
            arrays["elsewhere"] = self.elsewhere.vectors
        arrays["stated"] = np.frombuffer(json.dumps(stated, ensure_ascii=False).encode(), dtype=np.uint8)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, where: str = ENROLMENT_FILE) -> EnrolmentData:
        """Read the content of `enrolment.npz`; `where` names it in errors.

        Raises:
            PublicationError: it is damaged, or of a newer version.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = dict(file)
            stated = json.loads(arrays["stated"].tobytes())
            if stated["format"] > FORMAT:
                raise PublicationError(f"{where} was written by a newer version: install that one, or a later one.")
            gallery = EnrolledPhotos(arrays["gallery"], stated["gallery"]["labels"], stated["gallery"]["sha256"])
            elsewhere = Elsewhere(arrays["elsewhere"]) if "elsewhere" in arrays else None
            validation, test = (_queries(arrays, stated, name) for name in ("validation", "test"))
            curve = tuple(CurvePoint(photos, tpir) for photos, tpir in stated["curve"])
            return cls(gallery, validation, test, stated["trained_answers"], elsewhere, curve)
        except (ValueError, KeyError, IndexError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise PublicationError(f"{where} is damaged ({error}): {MEND}") from None


def read_enrolment_data(release: Release) -> EnrolmentData:
    """Read what enrolment into `release` needs.

    Raises:
        PublicationError: the release has no such file, or it is missing or altered.
    """
    entry, path = release.manifest.enrolment, release.folder / ENROLMENT_FILE
    if entry is None:
        raise PublicationError(
            f"Release {release.id} was made by a version that could not enrol: train and promote once, then enrol."
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PublicationError(f"{path} cannot be read ({error.strerror}): {MEND}") from None
    if sha256_bytes(data) != entry.sha256:
        raise PublicationError(f"{path} was altered (its SHA-256 is not the stated one): {MEND}")
    return EnrolmentData.from_bytes(data, str(path))


def enrolled_photos(release: Release) -> frozenset[str]:
    """Return the SHA-256 of each photo that `release` enrols; none where it does not carry what enrolment needs.

    Raises:
        PublicationError: the file is damaged.
    """
    if release.manifest.enrolment is None or not (release.folder / ENROLMENT_FILE).is_file():
        return frozenset()
    return frozenset(read_enrolment_data(release).gallery.sha256)


def _queries(arrays: dict[str, NDArray[Any]], stated: dict[str, Any], name: str) -> Queries:
    vectors = arrays[name][arrays[f"{name}_rows"]]
    return Queries(vectors, stated[name]["labels"], frozenset(stated[name]["trained"]), arrays[f"{name}_left_out"])
