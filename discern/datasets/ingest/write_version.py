"""Photos in, a dataset version out: read, cleaned, split.

Rules kept:
- every photo is decoded once, so that a broken one is refused here and not in the middle of a training;
- a photo that goes into no version is in the table of rejected photos, with the reason;
- an error leaves no half of anything: whole shards stay for a while, and the next call goes on from them;
- equal photos in equal order give equal shards and an equal version; what the earlier version says of a photo stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from discern.datasets.ingest.assignments import assign_rows
from discern.datasets.ingest.boxes import with_fitted_boxes
from discern.datasets.ingest.cleaning import Cleaned, CleaningConfig, Rejects, clean
from discern.datasets.ingest.earlier_version import EarlierVersion
from discern.datasets.ingest.journal import Journal
from discern.datasets.ingest.manifest_table import VersionRow, manifest_table
from discern.datasets.ingest.reader import PhotosRead, read
from discern.datasets.ingest.rejected import Kind, Rejected, check_share, decision_name, told
from discern.datasets.ingest.reuse import KnownImages
from discern.datasets.ingest.rows import IngestRow, ingest_rows, picture_reader
from discern.datasets.ingest.shown_facts import shown_facts
from discern.datasets.ingest.ties import find_ties
from discern.datasets.ingest.withdrawals import Withdrawals
from discern.datasets.ingest.writer import PictureWriter, ShardLimits
from discern.datasets.manifest import DatasetVersion
from discern.datasets.shards import ShardStore
from discern.datasets.splits.assign import SplitConfig
from discern.datasets.splits.class_holdout import check_class_count
from discern.errors import DataError
from discern.sources.base import Photo
from discern.suggestions import suggest


def write_version(  # noqa: PLR0913  photos, where they go, and the settings of the data pipeline's config
    photos: Iterable[Photo],
    shards: str,
    *,
    source: str = "",
    has_full_names: bool = False,
    withdrawals: Mapping[str, str] | None = None,
    splits: SplitConfig | None = None,
    cleaning: CleaningConfig | None = None,
    before: DatasetVersion | None = None,
    limits: ShardLimits | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[DatasetVersion, list[Rejected]]:
    """Store photos as shards and describe them in a new version.

    Args:
        photos: all photos of the new version; taken one at a time.
        shards: fsspec URL or path of the folder of shards.
        source: name of the source; the manifest holds `source/photo name`.
        has_full_names: the photos' names begin with the name of a source already, as those of a union do.
        withdrawals: label -> why its photos are left out, those that were enrolled excepted; see `Source.withdrawals`.
        splits: how photos without a split of their own are split; the defaults if None.
        cleaning: what is left out; the defaults if None.
        before: the version that this one grows from: its unchanged photos are not read again, and where it was split
            by the same config none of them moves.
        limits: how large a shard gets.
        progress: called with the number of photos taken so far.

    Returns:
        The version, and the photos that are not in it.

    Raises:
        DataError: the source fails, too many photos are broken or none can be used, a decision names no photo or gives
            one two labels, or the splits do not fit.
    """
    splits, cleaning = splits or SplitConfig(), cleaning or CleaningConfig()
    store = ShardStore(shards)
    journal = Journal(store, source)
    journal.give_up_old()
    source_name = "" if has_full_names else source
    known = KnownImages(before, source_name, store, journal.load())
    prefix = f"{source_name}/" if source_name else ""
    writer = PictureWriter(store, limits or ShardLimits(), journal)
    withdrawn = Withdrawals(withdrawals or {}, _with_short_names(cleaning.decisions, prefix))
    photos = _counted(photos, withdrawn, splits) if before is None else photos
    photos_read = read(photos, writer, known, progress, withdrawn, keep_unlabelled=cleaning.unlabelled == "keep")
    photos_read = with_fitted_boxes(photos_read, store)
    check_share(photos_read.rejected, photos_read.taken, cleaning.max_rejected_share)
    decisions = _by_photo(cleaning.decisions, prefix, photos_read)
    cleaning = cleaning.model_copy(update={"decisions": decisions})
    facts = shown_facts(photos_read, known.published, before, store)
    earlier = EarlierVersion(before, splits.model_dump_json(), cleaning.limits)
    rows = ingest_rows(photos_read, facts, earlier, decisions)
    cleaned = clean(rows, cleaning, picture_reader(photos_read, store))
    lookalikes = _lookalikes(rows, cleaned.lookalikes, prefix)
    try:
        chosen, bridges = _choose(rows, cleaned, lookalikes, splits)
    except DataError as error:
        rejected = photos_read.rejected + _rejected(cleaned.rejected, rows, photos_read.pictures)
        raise DataError(f"{error} Left out are {told(rejected)}" if rejected else str(error)) from None
    table = manifest_table(chosen, photos_read.pictures, prefix)
    version = DatasetVersion.of_rows(table, store.url, splits.model_dump_json(), cleaning.limits)
    store.publish(pc.unique(photos_read.pictures["shard"].slice(known.published)).to_pylist())
    journal.clear()
    return version, photos_read.rejected + _rejected({**cleaned.rejected, **bridges}, rows, photos_read.pictures)


def _counted(photos: Iterable[Photo], withdrawn: Withdrawals, config: SplitConfig) -> Iterable[Photo]:
    """Count the classes before the first photo is read, where the photos are known before that.

    Raises:
        DataError: there are too few.
    """
    taken: list[Photo] = []
    photos = iter(photos)
    try:
        for photo in photos:
            taken.append(photo)
            if not callable(photo.data):  # it was read or rendered: not all of them are to be in memory
                return chain(taken, photos)
    except DataError as error:  # what the source gave before is read all the same, and the next run goes on from it
        return _broken_off(taken, error)
    counting = [photo for photo in taken if photo.split is None and withdrawn.reason(photo) is None]
    labels = {withdrawn.label(photo) for photo in counting}
    check_class_count(len(labels - {None}), config)
    return taken


def _with_short_names(decisions: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): label for name, label in decisions.items()} | dict(decisions)


def _broken_off(taken: Iterable[Photo], error: DataError) -> Iterator[Photo]:
    yield from taken
    raise error


def _by_photo(decisions: Mapping[str, str], prefix: str, photos_read: PhotosRead) -> dict[str, str]:
    """Return decisions by the names of photos: people copy them from a page, where the source's name may stand first.

    Raises:
        DataError: a decision names no photo, or two name one; a sentence for each.
    """
    if not decisions:
        return {}
    photos = {decision_name(photo.name, photo.box) for photo in photos_read.photos}
    photos |= {name for reject in photos_read.rejected for name in (reject.name, reject.decision_name)}
    by_photo: dict[str, str] = {}
    problems = []
    for name, label in sorted(decisions.items()):
        photo = name if name in photos else name.removeprefix(prefix)
        if photo not in photos:
            mend = suggest(photo, photos, otherwise="correct its name.")
            problems.append(
                f"a decision names {name}, which the source does not have: {mend} If the photo is gone, take the "
                "decision back, in cleaning.decisions or in the table of decisions."
            )
        elif by_photo.setdefault(photo, label) != label:
            problems.append(f"decisions give {photo} two labels, {by_photo[photo]!r} and {label!r}: take one back.")
    if problems:
        raise DataError("\n".join(problems))
    return by_photo


def _choose(
    rows: Sequence[IngestRow], cleaned: Cleaned, lookalikes: Sequence[str | None], config: SplitConfig
) -> tuple[list[VersionRow], Rejects]:
    """Split the rows that are not rejected.

    Returns:
        The rows of the version, in order; and those that are left out because they tie both sides of a split together.
    """
    numbers = [i for i in range(len(rows)) if i not in cleaned.rejected]
    if not numbers:
        raise DataError(f"{next(iter(cleaned.rejected.values()))[1].rstrip('.')} (no photo is left).")
    ties = find_ties(numbers, rows, cleaned.same, config.session_minutes)
    assigned = assign_rows(numbers, rows, ties, config)
    bridges: Rejects = {}
    for i in numbers:
        if i not in assigned and rows[i].kind != "unlabelled":
            reason = f"{rows[i].name} belongs to photos on both sides of a split: take it out, or those."
            bridges[i] = "bridge", reason
    remaining = [i for i in numbers if i not in bridges]
    if bridges:  # a row that is left out ties nothing together
        ties = find_ties(remaining, rows, cleaned.same, config.session_minutes)
    chosen = []
    for i in remaining:
        split, role = assigned.get(i, (None, None))
        chosen.append(VersionRow(rows[i], split, role, ties[i], lookalikes[i]))
    return chosen, bridges


def _lookalikes(rows: Sequence[IngestRow], pairs: Sequence[tuple[int, int]], prefix: str) -> list[str | None]:
    """The lookalike of each row: that of this run, or that of the earlier version if it is still there."""
    names = {row.full_name(prefix) for row in rows}
    lookalikes = [row.earlier_lookalike if row.earlier_lookalike in names else None for row in rows]
    for first, second in pairs:
        lookalikes[first], lookalikes[second] = rows[second].full_name(prefix), rows[first].full_name(prefix)
    return lookalikes


def _rejected(rejects: Mapping[int, tuple[Kind, str]], rows: Sequence[IngestRow], pictures: pa.Table) -> list[Rejected]:
    result = []
    for i in sorted(rejects):
        kind, reason = rejects[i]
        row = rows[i]
        shard, shard_row = (pictures[name][row.picture_row].as_py() for name in ("shard", "row"))
        provenance = row.provenance if kind == "conflict" else None
        result.append(Rejected(row.name, reason, kind, row.label, shard, shard_row, row.box, provenance))
    return result
