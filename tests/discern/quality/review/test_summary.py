from __future__ import annotations

from discern.datasets.manifest import DatasetVersion
from discern.quality.checks import Checked, CheckReport, Condition
from discern.quality.review import review_summary
from tests.discern.quality.review.reviews import ORIGIN, REJECTED, review


def test_a_fit_version_needs_no_reason(version: DatasetVersion, checked: Checked) -> None:
    summary = review_summary(review(version, checked, REJECTED))
    assert (summary.kind, summary.id, summary.version, summary.use_case) == ("data", version.id, version.id, "parts")
    assert (summary.verdict, summary.word, summary.reason) == ("good", "Fit to train on", "")
    assert summary.figures == {"photos": "108", "classes": "12", "left out": "2"}
    assert summary.origin == ORIGIN
    assert len(set(summary.pictures)) == 6
    assert all(picture.startswith("data:image/webp;base64,") for picture in summary.pictures)


def test_the_first_failure_is_the_reason(version: DatasetVersion) -> None:
    failed = [
        Condition(check=check, condition="c", passed=False, detail=f"{check} is bad", waived=waived)
        for check, waived in (("image_size", "so be it"), ("dark_images", None), ("leakage", None))
    ]
    report = CheckReport(version=version.id, conditions=tuple(failed), passed=False)
    summary = review_summary(review(version, Checked(report)))
    assert (summary.verdict, summary.reason) == ("bad", "Dark images: dark_images is bad (and 1 more)")
