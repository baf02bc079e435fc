"""A folder of photos with what was enrolled beside it, up to the versions that they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from discern.datasets.diff import diff_versions
from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.assign import SplitConfig
from discern.quality.checks.model import CheckConfig, Condition
from discern.quality.checks.rows import findings
from discern.sources.base import Photo, Source, Split
from discern.sources.enrolled.joined import SourceWithEnrolments
from discern.sources.enrolled.source import EnrolledSource
from discern.sources.folder import FolderConfig, FolderSource
from discern.sources.union import Member, UnionSource
from tests.discern.pictures import fill, jpeg
from tests.discern.sources.enrolled.ledgers import Enrolments


@dataclass
class Parts:
    """Photos in a folder named `parts`, and what was enrolled beside them."""

    home: Path
    enrolments: Enrolments = field(init=False)

    def __post_init__(self) -> None:
        self.enrolments = Enrolments(self.home / "ledger")

    @property
    def folder(self) -> Path:
        return self.home / "parts"

    def source(self, own: Source | None = None) -> SourceWithEnrolments:
        own = own or FolderSource(FolderConfig(path=str(self.folder)))
        return SourceWithEnrolments(own, EnrolledSource(self.enrolments.ledger))

    def version(
        self,
        before: DatasetVersion | None = None,
        source: Source | None = None,
        splits: SplitConfig | None = None,
        decisions: Mapping[str, str] | None = None,
    ) -> tuple[DatasetVersion, list[Rejected]]:
        source = source or self.source()
        return write_version(
            source.photos(),
            str(self.home / "shards"),
            source=source.name,
            has_full_names=source.has_full_names,
            withdrawals=source.withdrawals,
            splits=splits,
            cleaning=CleaningConfig(decisions=dict(decisions or {})),
            before=before,
        )


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    fill(tmp_path / "parts", 10, 3)
    return Parts(tmp_path)


def rows(version: DatasetVersion) -> dict[str, tuple[str, str, str]]:
    columns = (version.column(name) for name in ("source", "label", "split", "role"))
    return {name: (label, split, role) for name, label, split, role in zip(*columns, strict=True)}


def of(label: str, *numbers: int) -> list[tuple[str, bytes]]:
    return [(label, jpeg(number)) for number in numbers]


def test_a_version_grows_by_what_was_enrolled_and_nothing_that_was_there_moves(parts: Parts) -> None:
    before, _ = parts.version(source=FolderSource(FolderConfig(path=str(parts.folder))))
    parts.enrolments.add([*of("washer-m6", 90_001, 90_002, 90_003), *of("c01", 90_004)])
    after, rejected = parts.version(before)
    assert rejected == []
    assert rows(before).items() <= rows(after).items()
    new = {name: row for name, row in rows(after).items() if name not in rows(before)}
    assert Counter(name.rpartition("/")[0] for name in new) == {"enrolled/washer-m6": 3, "enrolled/c01": 1}
    splits_of_c01 = {split for label, split, _ in rows(before).values() if label == "c01"}
    assert {split for label, split, _ in new.values() if label == "c01"} == splits_of_c01
    changes = diff_versions(before, after)
    assert {name: count for name, count in changes.counts.items() if count} == {"classes_added": 1, "added": 4}
    assert after.column("labelled_by")[-4:] == ["Ana"] * 4
    again, _ = parts.version(after)
    assert again.id == after.id


def test_nothing_is_read_again_that_a_version_holds_already(parts: Parts) -> None:
    parts.enrolments.add(of("washer-m6", 90_001, 90_002))
    first, _ = parts.version()
    for path in (parts.home / "ledger" / "photos").iterdir():
        path.write_bytes(b"altered")
    again, rejected = parts.version(first)
    assert (again.id, rejected) == (first.id, [])


def test_photos_of_retired_and_replaced_classes_are_left_out_with_the_reason_and_count_in_no_share(
    parts: Parts,
) -> None:
    before, _ = parts.version(source=FolderSource(FolderConfig(path=str(parts.folder))))
    (parts.folder / "c00" / "broken.jpg").write_bytes(b"of a retired class: nobody asks whether it is whole")
    parts.enrolments.add(retire=("c00", "c01"), why="not sold any more")
    parts.enrolments.add(of("c02", 90_001, 90_002), replace=True)
    after, rejected = parts.version(before)
    assert Counter((one.kind, one.label) for one in rejected) == {
        ("withdrawn", "c00"): 4,
        ("withdrawn", "c01"): 3,
        ("withdrawn", "c02"): 3,
    }
    assert rejected[0].reason == ("c00/0.jpg: its class 'c00' was retired on 2026-11-29 by Ana: not sold any more.")
    assert {"c00", "c01"}.isdisjoint(after.labels)
    kept = {name: row for name, row in rows(before).items() if row[0] not in {"c00", "c01", "c02"}}
    assert kept.items() <= rows(after).items()
    assert {name.split("/")[0] for name, row in rows(after).items() if row[0] == "c02"} == {"enrolled"}
    shares = {one.check: one for one in findings(after, rejected, CheckConfig(), 0.0) if isinstance(one, Condition)}
    assert shares["left_out"].detail == f"0 of {len(after)} photos"
    assert shares["left_out"].passed
    assert shares["broken_photos"].passed


def test_a_photo_in_both_is_there_once_and_is_no_fault(parts: Parts) -> None:
    before, _ = parts.version(source=FolderSource(FolderConfig(path=str(parts.folder))))
    parts.enrolments.add([("c03", (parts.folder / "c03" / f"{number}.jpg").read_bytes()) for number in range(3)])
    after, rejected = parts.version(before)
    assert rows(after) == rows(before)
    assert [one.kind for one in rejected] == ["enrolled"] * 3
    assert rejected[0].reason.endswith("is the same picture as c03/0.jpg.")
    (left_out, *_) = findings(after, rejected, CheckConfig(max_left_out_share=0), 0.0)
    assert isinstance(left_out, Condition)
    assert left_out.passed


def test_what_was_enrolled_and_then_put_into_the_folder_stays_in_its_split(parts: Parts) -> None:
    parts.enrolments.add(of("washer-m6", *range(90_001, 90_005)))
    before, _ = parts.version()
    (parts.folder / "washer-m6").mkdir()
    for number in range(90_001, 90_005):
        (parts.folder / "washer-m6" / f"{number}.jpg").write_bytes(jpeg(number))
    after, rejected = parts.version(before)
    assert [one.kind for one in rejected] == ["enrolled"] * 4
    assert diff_versions(before, after).counts["moved"] == 0
    assert diff_versions(before, after).counts["renamed"] == 4


def test_a_decision_names_photos_as_before_and_decides_which_class_was_retired(parts: Parts) -> None:
    parts.enrolments.add(retire=("c00",))
    version, rejected = parts.version(decisions={"c00/0.jpg": "c05", "parts/c04/1.jpg": "c00"})
    assert rows(version)["parts/c00/0.jpg"][0] == "c05"
    assert [one.name for one in rejected] == ["c00/1.jpg", "c00/2.jpg", "c04/1.jpg"]
    assert {one.kind for one in rejected} == {"withdrawn"}


def test_a_picture_enrolled_under_another_label_waits_for_a_decision(parts: Parts) -> None:
    request = parts.enrolments.add([("washer-m6", (parts.folder / "c03" / "0.jpg").read_bytes())])
    name = f"enrolled/washer-m6/{request.photos[0].sha256[:12]}.jpg"
    _, rejected = parts.version()
    assert [(one.name, one.kind) for one in rejected] == [("c03/0.jpg", "conflict"), (name, "conflict")]
    version, _ = parts.version(decisions={name: "washer-m6"})
    assert rows(version)[name][0] == "washer-m6"
    assert "parts/c03/0.jpg" not in rows(version)


class Split3(Source):
    """Photos in memory whose source splits them: two classes train, one is a test."""

    name = "official"

    def fingerprint(self) -> str:
        return ""

    def __len__(self) -> int:
        return 9

    def photos(self) -> Iterator[Photo]:
        splits: Sequence[Split] = ("train", "train", "test")
        for label, split in enumerate(splits):
            for number in range(3):
                yield Photo(f"{label}/{number}.jpg", f"c0{label}", jpeg(1000 * label + number), split=split)


def test_beside_a_source_that_splits_its_photos_new_classes_train_and_the_others_stay_where_they_are(
    parts: Parts,
) -> None:
    parts.enrolments.add([*of("new", 90_001, 90_002), *of("c00", 90_003), *of("c02", 90_004, 2000)])
    stated = [(photo.label, photo.split) for photo in parts.source(Split3()).photos() if photo.is_enrolled]
    assert stated == [("new", "train"), ("new", "train"), ("c00", None), ("c02", None), ("c02", None)]
    version, rejected = parts.version(source=parts.source(Split3()))
    assert [(one.kind, one.label) for one in rejected] == [("enrolled", "c02")]
    splits = {name: (label, split) for name, (label, split, _) in rows(version).items() if "enrolled/" in name}
    assert sorted(splits.values()) == [("c00", "train"), ("c02", "test"), ("new", "train"), ("new", "train")]
    parts.enrolments.add(of("c02", 90_005, 90_006), replace=True)
    version, _ = parts.version(source=parts.source(Split3()))
    assert {split for label, split, _ in rows(version).values() if label == "c02"} == {"test"}


def test_the_fingerprint_follows_both_and_several_own_sources_keep_their_names(parts: Parts) -> None:
    prints = [parts.source().fingerprint()]
    parts.enrolments.add(of("washer-m6", 90_001))
    prints.append(parts.source().fingerprint())
    (parts.folder / "c00" / "new.jpg").write_bytes(jpeg(5))
    prints.append(parts.source().fingerprint())
    assert len(set(prints)) == 3
    assert parts.source().fingerprint() == prints[-1]
    union = UnionSource([Member("base", FolderSource(FolderConfig(path=str(parts.folder))))])
    names = [photo.name for photo in parts.source(union).photos()]
    assert names[0] == "base/c00/0.jpg"
    assert names[-1].startswith("enrolled/washer-m6/")
    assert len(parts.source(union)) == len(names) == 32
