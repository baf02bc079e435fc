"""What can be told from the manifest, and from the size of some photos."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from discern.data.checks.model import CheckConfig, Condition
from discern.data.checks.samples import Sample
from discern.data.manifest import DatasetVersion


def conditions(version: DatasetVersion, samples: Mapping[str, Sample], config: CheckConfig) -> Iterator[Condition]:
    """Ask everything here of `version`; `samples` are some of its photos by split."""
    yield from _class_counts(version, config)
    yield from _label_names(version)
    yield from _leakage(version)
    yield from _strangers(version)
    yield from _image_size(samples, config)


def _class_counts(version: DatasetVersion, config: CheckConfig) -> Iterator[Condition]:
    counts = Counter(version.column("label"))
    label, fewest = min(counts.items(), key=lambda item: (item[1], item[0]))
    yield Condition(
        check="class_counts",
        condition=f"every class has at least {config.min_photos_per_class} photos",
        passed=fewest >= config.min_photos_per_class,
        detail=f"{len(counts)} classes; the smallest, {label}, has {fewest}",
    )


def _label_names(version: DatasetVersion) -> Iterator[Condition]:
    alike: dict[str, list[str]] = defaultdict(list)
    for label in version.labels:
        alike[" ".join(label.split()).casefold()].append(label)
    confusable = [names for names in alike.values() if len(names) > 1]
    yield Condition(
        check="label_names",
        condition="labels differ by more than case and spaces",
        passed=not confusable,
        detail="; ".join(" and ".join(map(repr, names)) for names in confusable[:5]) or f"{len(alike)} labels",
    )


def _leakage(version: DatasetVersion) -> Iterator[Condition]:
    """A picture, or a group of one class, that is both known to the gallery and asked for."""
    sides: dict[tuple[str, str], set[str]] = defaultdict(set)
    for sha256, label, group, role in zip(
        *(version.column(name) for name in ("sha256", "label", "group", "role")), strict=True
    ):
        sides["image", sha256].add(role)
        if group is not None:
            sides["group", f"{label}: {group}"].add(role)
    for kind, plural in (("image", "images"), ("group", "groups")):
        leaks = [key for (of, key), roles in sides.items() if of == kind and len(roles) > 1]
        yield Condition(
            check="leakage",
            condition=f"no {kind} is both gallery and query",
            passed=not leaks,
            detail=f"{len(leaks)} {plural} are, first {leaks[0]}" if leaks else f"no {kind} is",
        )


def _strangers(version: DatasetVersion) -> Iterator[Condition]:
    """Without queries that should be known, nothing is measured; the same holds for those that should not."""
    trained = set(version.select("train", "gallery").labels)
    for split in ("validation", "test"):
        part = version.select(split)
        enrolled = set(part.select(role="gallery").labels)
        queries = part.select(role="query").column("label")
        known = sum(label in enrolled or label in trained for label in queries)
        yield Condition(
            check="strangers",
            condition=f"{split} asks for enrolled classes",
            passed=known > 0,
            detail=f"{known} queries of {len(enrolled)} held-out and {len(trained)} trained classes",
        )
        yield Condition(
            check="strangers",
            condition=f"{split} asks for classes that nobody enrolled",
            passed=len(queries) > known,
            detail=f"{len(queries) - known} queries of strangers",
        )


def _image_size(samples: Mapping[str, Sample], config: CheckConfig) -> Iterator[Condition]:
    sides = [side for sample in samples.values() for side in sample.short_sides]
    small = sum(side < config.min_side for side in sides)
    yield Condition(
        check="image_size",
        condition=f"at most {config.max_small_share:.0%} of photos have a side below {config.min_side} px",
        passed=small <= config.max_small_share * len(sides),
        detail=f"{small} of the {len(sides)} looked at have; the smallest side is {min(sides, default=0)} px",
    )
