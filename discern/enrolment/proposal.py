"""A release with other classes, measured before it is built: the gallery changes, and the rule is fitted again.

No photo but the new ones is needed: the release's `enrolment.npz` holds the embeddings of all others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from discern.enrolment.change import GalleryChange, apply_change
from discern.enrolment.photos import NewPhotos
from discern.errors import DataError
from discern.evaluation.gallery import GalleryConfig, Vectors
from discern.evaluation.gallery_doctor import PhotoReport, examine_photos
from discern.evaluation.gallery_fit import FittedGallery, fit_galleries, scores_elsewhere
from discern.evaluation.metrics import Metrics, measure, named
from discern.evaluation.probability_calibration import fit_calibrator
from discern.evaluation.retrieval import Queries, SearchResults
from discern.releases.derived import DerivedParts, build_derived
from discern.releases.enrolled_gallery import as_enrolled_by
from discern.releases.enrolment_data import EnrolledPhotos, EnrolmentData, read_enrolment_data
from edge_runtime.core.decision import Calibrator, DecisionRule
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import encode_jpeg
from edge_runtime.core.release import Release


class UnchangedError(DataError):
    """Everything that is to be enrolled is enrolled already."""


@dataclass(frozen=True)
class Proposal:
    """A release with other classes that is not built yet.

    Attributes:
        base: the release that it derives from.
        change: what differs.
        new: the photos that are enrolled into it.
        gallery: the enrolled photos of all classes.
        fitted: the gallery and its rule.
        rule: that ships.
        calibrator: that ships; None where none could be fitted.
        before: the test queries in the gallery of the base.
        after: the same queries in the new gallery.
        metrics: of these under the new rule.
        base_rule: of the base.
        base_metrics: of the same queries under it.
        reports: on each photo of the classes that changed.
        asked_before: the new photos in the gallery of the base; None where there are none.
        elsewhere: whether photos of other things are refused, after and before; None where the base carries none.
        data_before: what this enrolment needed.
        data: what the next enrolment needs.
    """

    base: Release
    change: GalleryChange
    new: NewPhotos
    gallery: EnrolledPhotos
    fitted: FittedGallery
    rule: DecisionRule
    calibrator: Calibrator | None
    before: SearchResults
    after: SearchResults
    metrics: Metrics
    base_rule: DecisionRule
    base_metrics: Metrics
    reports: tuple[PhotoReport, ...]
    asked_before: SearchResults | None
    elsewhere: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None
    data_before: EnrolmentData
    data: EnrolmentData

    @property
    def new_labels(self) -> frozenset[str]:
        """The classes that the base does not enrol."""
        return self.change.changed - set(self.base.labels)

    @property
    def begun(self) -> frozenset[str]:
        """The classes of which no photo was enrolled before, or none counts any more."""
        return self.new_labels | self.change.replaced

    @property
    def new_reports(self) -> list[PhotoReport]:
        """The reports on photos that their class did not have before."""
        held = {photo for photo in self.data_before.gallery.named if photo[0] not in self.change.replaced}
        photos = self.gallery.named
        return [report for report in self.reports if photos[report.row] not in held]


def propose(
    base: Release,
    identifier: Identifier,
    new: NewPhotos,
    *,
    replaced: frozenset[str] = frozenset(),
    retired: frozenset[str] = frozenset(),
) -> Proposal:
    """Change the gallery of `base`, fit the rule again, and measure.

    Args:
        base: the release that changes.
        identifier: of `base`, loaded.
        new: the photos that are enrolled.
        replaced: labels of new photos whose earlier photos are dropped.
        retired: labels whose photos are all dropped.

    Raises:
        DataError: the change cannot be made.
        UnchangedError: it changes nothing.
        PublicationError: nothing can be enrolled into `base`.
    """
    data = read_enrolment_data(base)
    change = GalleryChange(new.enrolled, replaced, retired)
    gallery = apply_change(data.gallery, change)
    if gallery.labels == data.gallery.labels and gallery.sha256 == data.gallery.sha256:
        raise UnchangedError("every photo is enrolled already: nothing was changed.")
    config = as_enrolled_by(base, GalleryConfig())
    elsewhere = data.elsewhere
    (fitted,) = fit_galleries(
        gallery.vectors,
        gallery.labels,
        config,
        data.validation,
        identifier.rule.fpir,
        None if elsewhere is None else elsewhere.fitting,
    )
    calibrator = fit_calibrator(fitted.results)
    rule = replace(fitted.rule, least_probability=identifier.rule.least_probability if calibrator else 0.0)
    after = data.test.search(fitted.gallery).stated_by(calibrator)
    foreign = None if elsewhere is None else scores_elsewhere(fitted.gallery, elsewhere.measuring)
    before = data.test.search_index(identifier.index, base.labels).stated_by(identifier.calibrator)
    return Proposal(
        base=base,
        change=change,
        new=new,
        gallery=gallery,
        fitted=fitted,
        rule=rule,
        calibrator=calibrator,
        before=before,
        after=after,
        metrics=measure(after, rule, calibrator, foreign),
        base_rule=identifier.rule,
        base_metrics=measure(before, identifier.rule, identifier.calibrator),
        reports=tuple(_reports(gallery, new, change, config, rule, data)),
        asked_before=_asked_before(base, identifier, new),
        elsewhere=None
        if elsewhere is None or foreign is None
        else (~named(foreign, rule, calibrator), _refused(identifier, elsewhere.measuring)),
        data_before=data,
        data=replace(data, gallery=gallery),
    )


def build_proposal(folder: Path, proposal: Proposal) -> Release:
    """Build the proposed release.

    Raises:
        PublicationError: it cannot be built; nothing is left at `folder`.
    """
    fitted = proposal.fitted
    validation = {f"validation_{name}": value for name, value in fitted.rates.figures().items()}
    parts = DerivedParts(
        gallery=fitted.gallery,
        unchanged=frozenset(proposal.base.labels) - proposal.change.changed - proposal.change.retired,
        thumbnails=_thumbnails(proposal),
        rule=proposal.rule,
        calibrator=proposal.calibrator,
        metrics=proposal.metrics.figures() | validation,
        counts=_counts(proposal),
        enrolment=proposal.data,
        lineage=proposal.base.manifest.lineage.model_copy(update={"enrolled_into": proposal.base.id}),
    )
    return build_derived(folder, proposal.base, parts)


def _reports(
    gallery: EnrolledPhotos,
    new: NewPhotos,
    change: GalleryChange,
    config: GalleryConfig,
    rule: DecisionRule,
    data: EnrolmentData,
) -> list[PhotoReport]:
    rows = {row for row, label in enumerate(gallery.labels) if label in change.changed}
    if not rows:
        return []
    picture_of = dict(zip(new.enrolled.named, new.pictures, strict=True))
    # Photos of before have no pixels here: each is a picture of its own, behind the new ones.
    pictures = [picture_of.get(photo, len(picture_of) + row) for row, photo in enumerate(gallery.named)]
    reports = examine_photos(gallery.vectors, gallery.labels, config, rule, data.test, pictures)
    return [report for report in reports if report.row in rows]


def _refused(identifier: Identifier, photos: Vectors) -> NDArray[np.bool_]:
    """Return [n] whether a release answers `unknown` to embedded photos."""
    return ~named(identifier.index.best_classes(photos, 2)[1], identifier.rule, identifier.calibrator)


def _asked_before(base: Release, identifier: Identifier, new: NewPhotos) -> SearchResults | None:
    """Ask the release that changes for the new photos."""
    if not new.names:
        return None
    asked = Queries(new.enrolled.vectors, new.enrolled.labels)
    return asked.search_index(identifier.index, base.labels).stated_by(identifier.calibrator)


def _thumbnails(proposal: Proposal) -> dict[str, bytes]:
    """Show a class that is new or replaced by its first new photo."""
    pictures: dict[str, bytes] = {}
    for label, thumbnail in zip(proposal.new.enrolled.labels, proposal.new.thumbnails, strict=True):
        if label in proposal.begun and label not in pictures:
            pictures[label] = encode_jpeg(thumbnail)
    return pictures


def _counts(proposal: Proposal) -> dict[str, int]:
    """Count the classes that trained, and those whose test queries were asked as known and as unknown.

    A new class has no test query.
    """
    results = proposal.after
    labels: NDArray[np.str_] = np.array(results.query_labels)
    return {
        "trained_classes": len(proposal.data.test.trained & set(results.labels)),
        "classes_measured_as_known": len(set(labels[results.enrolled].tolist())),
        "classes_measured_as_unknown": len(set(labels[~results.enrolled].tolist())),
    }
