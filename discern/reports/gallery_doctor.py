"""The gallery doctor of a release: what each enrolled photo does, and how many photos a class needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.gallery import GalleryConfig
from discern.evaluation.gallery_doctor import CurvePoint, PhotoReport, examine_photos, photos_for
from discern.evaluation.gates import GateConfig
from discern.releases.enrolled_gallery import as_enrolled_by
from discern.releases.enrolment_data import EnrolmentData, read_enrolment_data
from discern.reports.thumbnails import Thumbnails
from discern.words import counted
from edge_runtime.core.images import Pixels
from edge_runtime.core.release import Release

SHOWN = 24  # photos
POINT = 0.01


@dataclass(frozen=True)
class DoctoredPhoto:
    """An enrolled photo that somebody should look at.

    Attributes:
        report: what it does.
        photo: uint8 [96, 96, 3].
        name: of its file.
        other: a photo of the class that is nearest to it, uint8 [96, 96, 3]; None where there is no other class.
    """

    report: PhotoReport
    photo: Pixels
    name: str
    other: Pixels | None


@dataclass(frozen=True)
class GalleryDoctor:
    """What the enrolled photos do.

    Attributes:
        photos: how many are enrolled.
        taken_for_another: those that get another class's name when they are left out.
        unknown: those that get no name when they are left out.
        redundant: those without which their class is found as well.
        harmful: those without which more queries are answered right.
        curve: how TPIR grows with the photos of a class.
        shown: those that somebody should look at, the worst first.
    """

    photos: int
    taken_for_another: int
    unknown: int
    redundant: int
    harmful: int
    curve: tuple[CurvePoint, ...]
    shown: tuple[DoctoredPhoto, ...]

    def needs(self) -> str:
        """Say how many photos a class needs, by the curve; empty where it was not measured."""
        if not self.curve:
            return ""
        best, floor = max(point.tpir for point in self.curve), GateConfig().least_tpir
        enough, floored = photos_for(self.curve, best - POINT), photos_for(self.curve, floor)
        reached = (
            "no number of photos here reaches it" if floored is None else f"{counted(floored, 'photo')} a class do"
        )
        return (
            f"For a TPIR of {floor:g}, the default floor, {reached}; the best, {best:.3f}, is within a point with "
            f"{counted(enough or 0, 'photo')}, of up to {self.curve[-1].photos}."
        )


def examine_gallery(
    release: Release, version: DatasetVersion, photo_of: Callable[[str], Pixels], thumbnails: Thumbnails
) -> GalleryDoctor | None:
    """Report on the enrolled photos of a release; None where it does not carry what that takes.

    Args:
        release: whose gallery it is.
        version: holds its photos; one that was enrolled from elsewhere is not shown.
        photo_of: gives a photo of a class by its label.
        thumbnails: takes the photos of `version`.

    Raises:
        PublicationError: what the release carries for enrolment is damaged.
    """
    if release.manifest.enrolment is None:
        return None
    data = read_enrolment_data(release)
    reports = _reports(release, data)
    place = {key: row for row, key in enumerate(zip(version.column("label"), version.photo_ids(), strict=True))}
    names = version.column("source")
    shown = []
    for report in _to_look_at(reports):
        row = place.get((report.label, data.gallery.sha256[report.row]))
        if row is not None:
            other = None if report.other is None else photo_of(report.other)
            shown.append(DoctoredPhoto(report, thumbnails.of(version, row), names[row], other))
    return GalleryDoctor(
        photos=len(reports),
        taken_for_another=sum(report.answer not in {None, report.label} for report in reports),
        unknown=sum(report.answer is None and report.own_score is not None for report in reports),
        redundant=sum(report.is_redundant for report in reports),
        harmful=sum(report.harm > report.help for report in reports),
        curve=data.curve,
        shown=tuple(shown[:SHOWN]),
    )


def _reports(release: Release, data: EnrolmentData) -> list[PhotoReport]:
    config, rule = as_enrolled_by(release, GalleryConfig()), release.manifest.decision.build()
    return examine_photos(data.gallery.vectors, data.gallery.labels, config, rule, data.test)


def _to_look_at(reports: list[PhotoReport]) -> list[PhotoReport]:
    """Return the photos that are nearer to another class, or that harm more than they help; the worst first."""
    doubtful = [report for report in reports if report.excess > 0 or report.harm > report.help]
    return sorted(doubtful, key=lambda report: (report.help - report.harm, -report.excess))
