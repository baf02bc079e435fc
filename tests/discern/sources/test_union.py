"""Several named sources as one, up to the version that they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from discern.datasets.ingest.cleaning import CleaningConfig
from discern.datasets.ingest.rejected import Rejected
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.errors import DataError
from discern.sources.base import Photo, Provenance, Source
from discern.sources.union import Member, UnionSource
from tests.discern.pictures import jpeg, photos

ANN = Provenance(labelled_by="ann", label_method="correction", device="line 3")


class Listed(Source):
    """Photos in memory."""

    def __init__(self, name: str, given: Sequence[Photo], is_live: bool = False) -> None:
        self.name, self.is_live = name, is_live
        self._photos = list(given)

    def fingerprint(self) -> str:
        return str([(photo.name, photo.label) for photo in self._photos])

    def __len__(self) -> int:
        return len(self._photos)

    def photos(self) -> Iterator[Photo]:
        yield from self._photos


def union(
    corrections: Sequence[Photo], provenance: Provenance = ANN, base: Sequence[Photo] | None = None
) -> UnionSource:
    first = Listed("anything", list(photos(10, 3)) if base is None else base)
    return UnionSource([Member("base", first), Member("corrections", Listed("whatever", corrections), provenance)])


def made(
    source: UnionSource, folder: Path, before: DatasetVersion | None = None, cleaning: CleaningConfig | None = None
) -> tuple[DatasetVersion, list[Rejected]]:
    return write_version(
        source.photos(),
        str(folder),
        source=source.name,
        has_full_names=source.has_full_names,
        before=before,
        cleaning=cleaning,
    )


def test_a_version_holds_the_photos_of_all_under_the_names_of_their_sources(tmp_path: Path) -> None:
    source = union([Photo("1.jpg", "c01", jpeg(70))])
    assert (source.name, len(source)) == ("base+corrections", 31)
    version, rejected = made(source, tmp_path)
    assert rejected == []
    assert version.column("source")[::30] == ["base/c00/0.jpg", "corrections/1.jpg"]


def test_photos_without_a_provenance_of_their_own_have_that_of_their_source(tmp_path: Path) -> None:
    noon = datetime(2026, 4, 1, 12, tzinfo=UTC)
    own = Provenance(labelled_by="bob", label_method="review", labelled_at=noon, confidence=0.5)
    version, _ = made(
        union([Photo("1.jpg", "c01", jpeg(70)), Photo("2.jpg", "c01", jpeg(71), provenance=own)]), tmp_path
    )
    columns = ("labelled_by", "label_method", "labelled_at", "confidence", "device")
    rows = list(zip(*(version.column(name) for name in columns), strict=True))
    assert rows[0] == (None, "import", None, None, None)
    assert rows[-2:] == [("ann", "correction", None, None, "line 3"), ("bob", "review", noon, 0.5, "line 3")]


def test_nobody_labelled_an_unlabelled_photo(tmp_path: Path) -> None:
    version, _ = made(union([Photo("new.jpg", None, jpeg(70))]), tmp_path, cleaning=CleaningConfig(unlabelled="keep"))
    row = version.unlabelled().table.to_pylist()[0]
    assert (row["labelled_by"], row["label_method"], row["device"]) == (None, None, "line 3")


def test_a_conflict_between_sources_names_both(tmp_path: Path) -> None:
    source = union([Photo("1.jpg", "c09", jpeg(0))])
    _, rejected = made(source, tmp_path)
    assert [reject.name for reject in rejected] == ["base/c00/0.jpg", "corrections/1.jpg"]
    assert "base/c00/0.jpg ('c00') and corrections/1.jpg ('c09') look like one picture" in rejected[0].reason
    decided = CleaningConfig(decisions={"corrections/1.jpg": "c09"})
    version, rejected = made(source, tmp_path, cleaning=decided)
    assert [(reject.name, reject.kind) for reject in rejected] == [("base/c00/0.jpg", "duplicate")]
    assert version.column("labelled_by")[-1] == "ann"
    with pytest.raises(DataError, match=r"a decision names corrections/2\.jpg, .* did you mean 'corrections/1\.jpg'"):
        made(source, tmp_path, cleaning=CleaningConfig(decisions={"corrections/2.jpg": "c09"}))


def test_equal_names_in_two_sources_are_two_photos_and_none_is_read_again(tmp_path: Path) -> None:
    def stamped(photo: Photo, data: bytes | None) -> Photo:
        def load() -> bytes:
            assert data is not None, f"{photo.name} is read again"
            return data

        return Photo(photo.name, photo.label, load, stamp="1")

    base, more = list(photos(10, 3)), [Photo("c00/0.jpg", "c00", jpeg(70))]
    first, _ = made(union([stamped(p, p.load()) for p in more], base=[stamped(p, p.load()) for p in base]), tmp_path)
    again, _ = made(
        union([stamped(p, None) for p in more], base=[stamped(p, None) for p in base]), tmp_path, before=first
    )
    assert again.id == first.id
    assert again.table == first.table
    assert again.image_bytes(30) == jpeg(70)


def test_the_fingerprint_follows_names_provenance_and_members() -> None:
    one = [Photo("1.jpg", "c01", b"")]
    renamed = UnionSource([Member("first", Listed("x", one)), Member("corrections", Listed("y", one), ANN)])
    prints = [
        union(one, base=one).fingerprint(),
        union(one, base=[*one, *one]).fingerprint(),
        union(one, Provenance(labelled_by="bob"), base=one).fingerprint(),
        renamed.fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert union(one, base=one).fingerprint() == prints[0]


def test_a_union_is_live_where_one_of_its_sources_is() -> None:
    quiet, live = Member("a", Listed("a", [])), Member("b", Listed("b", [], is_live=True))
    assert not UnionSource([quiet]).is_live
    assert UnionSource([quiet, live]).is_live
