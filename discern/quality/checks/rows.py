"""What can be told from the manifest: labels, repeats, and what is on which side of a split."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from discern.datasets.ingest.rejected import Rejected, judged, told
from discern.datasets.manifest import DatasetVersion
from discern.datasets.splits.photo_holdout import MIN_GROUPS
from discern.quality.checks.model import Check, CheckConfig, Condition, Finding, PhotoSets
from discern.words import be, counted

_NONE = (
    "every class that is asked trains or is enrolled: each in turn is asked as if it were not, and photos from "
    "elsewhere are asked"
)
_APART = f"{MIN_GROUPS} photos, of which no two are of one group, one capture session or nearly one picture"
_NOBODY_ASKED = (
    f"a class that trains is asked if it has {_APART}: add photos taken at another time, give smaller groups, or lower "
    "splits.session_minutes (0 ignores times); where the source splits its photos, set splits.official to add_test"
)
SHOWN = 12  # photos of one finding
SHOWN_PAIRS = 60  # of one finding; likewise sets
SHOWN_OF_SET = 12  # photos of one set

# What photos of one class must not share across the sides of a split: column of the manifest, one of them, several.
TIES = (
    ("sha256", "image", "images"),
    ("group", "group", "groups"),
    ("near_duplicates", "set of near-duplicates", "sets of near-duplicates"),
    ("session", "capture session", "capture sessions"),
)


def findings(
    version: DatasetVersion, rejected: Sequence[Rejected], config: CheckConfig, max_broken_share: float
) -> Iterator[Finding]:
    """Ask everything here of `version`, and of what was left out of it though nobody wanted that."""
    rejected = judged(rejected)
    yield from _left_out(version, rejected, config)
    yield _broken(version, rejected, max_broken_share)
    yield from _class_counts(version, config)
    yield from _label_names(version)
    yield from _label_conflicts(version, rejected)
    yield from _duplicates(version, config)
    yield from _leakage(version, rejected)
    yield from _queries(version, config)


def _left_out(version: DatasetVersion, rejected: Sequence[Rejected], config: CheckConfig) -> Iterator[Finding]:
    total = len(version.all_rows()) + len(rejected)
    yield Condition(
        check="left_out",
        condition=f"at most {config.max_left_out_share:.0%} of the photos are left out",
        passed=len(rejected) <= config.max_left_out_share * total,
        detail=f"{len(rejected):,} of {counted(total, 'photo')}",
    )


def _broken(version: DatasetVersion, rejected: Sequence[Rejected], max_share: float) -> Condition:
    broken = [one for one in rejected if one.kind == "broken"]
    total = len(version.all_rows()) + len(rejected)
    return Condition(
        check="broken_photos",
        condition=f"at most {max_share:.1%} of the photos cannot be used (cleaning.max_rejected_share)",
        passed=len(broken) <= max_share * total,
        detail=told(broken) if broken else "all can",
    )


def _class_counts(version: DatasetVersion, config: CheckConfig) -> Iterator[Finding]:
    counts = Counter(version.column("label"))
    label, fewest = min(counts.items(), key=lambda item: (item[1], item[0]))
    yield Condition(
        check="class_counts",
        condition=f"every class has at least {counted(config.min_photos_per_class, 'photo')}",
        passed=fewest >= config.min_photos_per_class,
        detail=f"{label} has the fewest of {counted(len(counts), 'class')}: {counted(fewest, 'photo')}",
    )


def _label_names(version: DatasetVersion) -> Iterator[Finding]:
    alike: dict[str, list[str]] = defaultdict(list)
    for label in version.labels:
        plain = "".join(c for c in unicodedata.normalize("NFKC", label) if unicodedata.category(c) != "Cf")
        alike[" ".join(plain.split()).casefold()].append(label)
    confusable = [names for names in alike.values() if len(names) > 1]
    yield Condition(
        check="label_names",
        condition="labels differ by more than case, spaces and what cannot be seen",
        passed=not confusable,
        detail="; ".join(" and ".join(map(repr, names)) for names in confusable[:5]) or counted(len(alike), "label"),
    )


def _none_of(rejects: Sequence[Rejected], check: Check, condition: str, detail: str) -> Condition:
    """Return the condition that no photo was rejected for one reason."""
    return Condition(check=check, condition=condition, passed=not rejects, detail=detail)


def _label_conflicts(version: DatasetVersion, rejected: Sequence[Rejected]) -> Iterator[Finding]:
    conflicts = [one for one in rejected if one.kind == "conflict"]
    held = f"{counted(len(conflicts), 'photo')} {be(len(conflicts))} held back"
    first = [f"{one.name} ({one.label!r})" for one in conflicts if one.reason == conflicts[0].reason]
    detail = f"{held}, first {' and '.join(first[:3])}" if conflicts else "none has"
    yield _none_of(conflicts, "label_conflicts", "no picture has several labels", detail)
    sources, labels = version.column("source"), version.column("label")
    row_of = {name: i for i, name in enumerate(sources)}
    pairs = sorted(
        {
            (min(i, row_of[other]), max(i, row_of[other]))
            for i, other in enumerate(version.column("lookalike"))
            if other in row_of and labels[i] != labels[row_of[other]]
        }
    )
    if pairs:
        title = f"{counted(len(pairs), 'pair')} nearly alike under two labels: are the labels right?"
        yield _sets("label_conflicts", title, pairs)


def _sets(check: Check, title: str, sets: Sequence[Sequence[int]]) -> PhotoSets:
    shown = tuple(tuple(rows[:SHOWN_OF_SET]) for rows in sets[:SHOWN_PAIRS])
    return PhotoSets(check, title, shown, hidden=len(sets) - len(shown))


def _duplicates(version: DatasetVersion, config: CheckConfig) -> Iterator[Finding]:
    """Of each set of near-duplicates all pictures but one are repeats."""
    sets: dict[str, dict[str, int]] = defaultdict(dict)  # name of the set -> picture -> a row of it
    for i, (name, sha256) in enumerate(zip(version.column("near_duplicates"), version.column("sha256"), strict=True)):
        if name is not None:
            sets[name].setdefault(sha256, i)
    repeats = sum(len(pictures) - 1 for pictures in sets.values())
    total = len(set(version.column("sha256")))
    yield Condition(
        check="duplicates",
        condition=f"at most {config.max_near_duplicate_share:.0%} of the pictures nearly repeat another one",
        passed=repeats <= config.max_near_duplicate_share * total,
        detail=f"{repeats:,} of {counted(total, 'picture')}, in {counted(len(sets), 'set')}",
    )
    if sets:
        largest = sorted((sorted(pictures.values()) for pictures in sets.values()), key=len, reverse=True)
        yield _sets("duplicates", f"{counted(len(sets), 'set')} of pictures that nearly repeat each other", largest)


def _leakage(version: DatasetVersion, rejected: Sequence[Rejected]) -> Iterator[Finding]:
    """Within a class, what is on two sides: in two splits, or both known to a gallery and asked for."""
    copies = [one for one in rejected if one.kind == "leak"]
    left_out = f"{counted(len(copies), 'photo')} {be(len(copies))} left out"
    detail = f"{left_out}: {copies[0].reason}" if copies else "it has none"
    yield _none_of(copies, "leakage", "the source has no picture in two splits", detail)
    labels, sides = version.column("label"), list(zip(version.column("split"), version.column("role"), strict=True))
    for column, one, several in TIES:
        found: dict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(dict)  # what -> side -> a row
        for i, value in enumerate(version.column(column)):
            if value is not None:
                found[labels[i], value].setdefault(sides[i], i)
        leaks = [key for key, rows in found.items() if len(rows) > 1]
        detail = (
            f"{counted(len(leaks), one, several)}, first {_places(version, found[leaks[0]])}" if leaks else "none is"
        )
        if not found:
            detail = f"the photos have no {several}"
        yield Condition(
            check="leakage",
            condition=f"no {one} of a class is in two splits, or both gallery and query",
            passed=not leaks,
            detail=detail,
        )
        if leaks:
            shown = [sorted(found[key].values()) for key in leaks]
            yield _sets("leakage", f"{counted(len(leaks), one, several)} on both sides of a split", shown)
    yield from _leaking_negatives(version)


def _places(version: DatasetVersion, rows: Mapping[tuple[str, str], int]) -> str:
    """Name the photos of several sides, with their split and role."""
    names = version.column("source")
    return " and ".join(f"{names[row]} ({split}, {role})" for (split, role), row in rows.items())


def _leaking_negatives(version: DatasetVersion) -> Iterator[Finding]:
    """Empty images of which another split holds a near-duplicate, and their own split none."""
    negatives = version.negatives()
    if not len(negatives):
        return
    splits_of_set: dict[str, set[str]] = defaultdict(set)
    for name, split in zip(version.column("near_duplicates"), version.column("split"), strict=True):
        if name is not None:
            splits_of_set[name].add(split)
    columns = (negatives.column(name) for name in ("source", "near_duplicates", "split"))
    leaks = [
        source
        for source, name, split in zip(*columns, strict=True)
        if name in splits_of_set and split not in splits_of_set[name]
    ]
    yield Condition(
        check="leakage",
        condition="no empty image is nearly a picture of another split",
        passed=not leaks,
        detail=f"{len(leaks):,} {be(len(leaks))}, first {leaks[0]}" if leaks else f"none of {len(negatives):,} is",
    )


def _queries(version: DatasetVersion, config: CheckConfig) -> Iterator[Finding]:
    """Without queries that should be known nothing is measured."""
    trained = set(version.select("train", "gallery").labels)
    yield Condition(
        check="queries",
        condition="there are photos to train on",
        passed=bool(trained),
        detail=f"{counted(len(version.select('train', 'gallery')), 'photo')} of {counted(len(trained), 'class')}",
    )
    for split in ("validation", "test"):
        yield from _queries_of(version.select(split), split, trained, config)


def _queries_of(part: DatasetVersion, split: str, trained: set[str], config: CheckConfig) -> Iterator[Finding]:
    enrolled = set(part.select(role="gallery").labels)
    queries = part.select(role="query").column("label")
    new = [label for label in queries if label not in enrolled and label not in trained]
    known = Counter(label for label in queries if label in enrolled or label in trained)
    yield Condition(
        check="queries",
        condition=f"{split} asks for enrolled classes",
        passed=bool(known),
        detail=f"{counted(known.total(), 'query')} of {counted(len(enrolled), 'held-out class')} and "
        f"{counted(len(trained), 'training class')}{_unasked(known, trained)}",
    )
    yield Condition(
        check="unknowns",
        condition=f"{split} asks something that has to be refused",
        passed=bool(queries),
        detail=f"{counted(len(new), 'query')} of {counted(len(set(new)), 'class')} that nobody enrolls"
        if new
        else _NONE,
    )
    if queries:  # without any it fails above
        yield Condition(
            check="new_labels",
            condition=f"at most {config.max_new_share:.0%} of the queries of {split} are of new labels",
            passed=len(new) <= config.max_new_share * len(queries),
            detail=f"{len(new):,} of {counted(len(queries), 'query')}, by labels that neither train nor are enrolled",
        )


def _unasked(known: Collection[str], trained: set[str]) -> str:
    """Return what is to be said of training classes that a split by photos asks nothing of."""
    if not known:
        return f"; {_NOBODY_ASKED}"
    unasked = sorted(trained.difference(known))
    if not unasked or len(unasked) == len(trained):  # classes are held out whole
        return ""
    names = ", ".join(unasked[:5]) + (f" and {len(unasked) - 5} more" if len(unasked) > 5 else "")
    return f"; nothing of {names} is asked: a class needs {_APART}"
