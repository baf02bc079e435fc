"""Which photos train, which calibrate and which test.

Rules kept:
- what a source says of its split and role stays; so does what the version before this one said;
- `by: classes` (open set) holds out whole classes: one that trains has no photo in validation or test. In a held-out
  class some photos are the gallery and the others are asked; unknowns are held-out classes that nobody enrols, all
  their photos are asked, and the right answer is "unknown";
- `by: photos` (closed set) gives every class photos to train; what is held out is asked against them;
- photos that belong together (one picture or nearly the same, one group, one capture session of a class) are never on
  two sides. A new photo that ties together what was on two sides before is left out rather than anything moved;
- a choice depends on the seed and on the name of what is chosen, so what joins later moves little, and nothing at all
  where the version before is given.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from discern.datasets.ingest.near_duplicates import Joined
from discern.datasets.splits.class_holdout import HELD_OUT, SplitConfig, draw, draw_unknown_classes, splits_of_classes
from discern.sources.base import Role, Split

__all__ = ["Assignment", "SplitConfig", "SplitItem", "assign"]

Assignment = tuple[Split, Role]


@dataclass(frozen=True, slots=True)
class SplitItem:
    """What a split needs to know of one photo.

    Args:
        label: its class.
        sha256: of its picture.
        group: photos of one group of one class stay together, and so on for the next two.
        near_duplicates: the set of near-duplicates that it is one of.
        session: its capture session.
        split: its source's own split, if any.
        role: its source's own role, if any.
        before: what the version before this one said of it, if it did.
    """

    label: str
    sha256: str
    group: str | None = None
    near_duplicates: str | None = None
    session: str | None = None
    split: Split | None = None
    role: Role | None = None
    before: Assignment | None = None


def assign(samples: Sequence[SplitItem], config: SplitConfig) -> list[Assignment | None]:
    """Give every photo its split and its role.

    Returns:
        One answer a sample; None for a new one that cannot have any without tying both sides together.

    Raises:
        DataError: there are too few classes, or too few whose photos can be told apart.
    """
    official = _official(samples, config)
    labels = {sample.label for i, sample in enumerate(samples) if i not in official}
    # Where a source splits some photos of a class, the others join those as they would join an earlier version's.
    ours = [i for i, sample in enumerate(samples) if sample.label in labels]
    given = [replace(samples[i], before=official[i]) if i in official else samples[i] for i in range(len(samples))]
    places = _by_photos(ours, given, config) if config.by == "photos" else _by_classes(ours, given, config)
    return [official.get(i) or places.get(i) for i in range(len(samples))]


def _by_photos(ours: Sequence[int], samples: Sequence[SplitItem], config: SplitConfig) -> dict[int, Assignment]:
    """Sets of photos that belong together, drawn into the splits; every class keeps one to train."""
    places: dict[int, Assignment] = {}
    free: list[tuple[float, list[int]]] = []
    for rows in _together(ours, samples):
        if any(samples[i].before for i in rows):
            places |= dict(_follow(rows, samples))
        else:
            free.append((draw(config.seed, "photo", min(samples[i].sha256 for i in rows)), rows))
    held = {split: any(place[0] == split for place in places.values()) for split in HELD_OUT}
    trained = Counter(samples[i].label for i, place in places.items() if place[0] == "train")
    trained.update(samples[i].label for _, rows in free for i in rows)
    for drawn, rows in sorted(free):
        labels = Counter(samples[i].label for i in rows)
        split: Split = "train"
        if all(trained[label] > count for label, count in labels.items()):  # some photos of each are left to train
            if not all(held.values()):  # each has one before any has two
                split = "validation" if held["test"] else "test"
            elif drawn < config.test_share + config.validation_share:
                split = "test" if drawn < config.test_share else "validation"
        if split != "train":
            trained -= labels
            held[split] = True
        places.update(dict.fromkeys(rows, (split, "gallery" if split == "train" else "query")))
    return places


def _by_classes(ours: Sequence[int], samples: Sequence[SplitItem], config: SplitConfig) -> dict[int, Assignment]:
    members: dict[str, list[int]] = defaultdict(list)
    for i in ours:
        members[samples[i].label].append(i)
    before: dict[str, Split] = {}
    for i in ours:
        if (place := samples[i].before) and before.get(samples[i].label) != "train":
            before[samples[i].label] = place[0]
    known = {label for label in before if all(samples[i].before for i in members[label])}  # no photo to be placed
    sets = {label: _together(rows, samples) for label, rows in members.items() if label not in known}
    divisible = {label for label, parts in sets.items() if len(parts) > 1}
    chosen = splits_of_classes(set(members), before, divisible, config)
    unknowns = draw_unknown_classes(chosen, _enrolment_before(ours, samples), config)
    places: dict[int, Assignment] = {}
    for label, rows in members.items():
        if label in known:
            places.update((i, place) for i in rows if (place := samples[i].before))
        elif chosen[label] == "train" or label in unknowns:
            role: Role = "gallery" if chosen[label] == "train" else "query"
            for part in sets[label]:
                if any(samples[i].before for i in part):
                    places |= dict(_follow(part, samples))
                else:
                    places.update(dict.fromkeys(part, (chosen[label], role)))
        else:
            places.update((i, (chosen[label], role)) for i, role in _enrol(sets[label], samples, config))
    return places


def _enrolment_before(ours: Sequence[int], samples: Sequence[SplitItem]) -> dict[str, bool]:
    """Held-out classes of the version before: whether they were enrolled."""
    enrolled: dict[str, bool] = {}
    for i in ours:
        if (place := samples[i].before) and place[0] != "train":
            label = samples[i].label
            enrolled[label] = enrolled.get(label, False) or place[1] == "gallery"
    return enrolled


def _enrol(parts: Sequence[list[int]], samples: Sequence[SplitItem], config: SplitConfig) -> Iterator[tuple[int, Role]]:
    """Gallery: whole sets in drawn order until there are `shots` photos; one set at least is left to ask."""
    free: list[list[int]] = []
    roles: dict[int, Role] = {}
    for rows in parts:
        if any(samples[i].before for i in rows):
            roles.update((i, place[1]) for i, place in _follow(rows, samples))
        else:
            free.append(rows)
    free.sort(key=lambda rows: draw(config.seed, "photo", min(samples[i].sha256 for i in rows)))
    enrolled = sum(role == "gallery" for role in roles.values())
    asked = any(role == "query" for role in roles.values())
    for number, rows in enumerate(free):
        is_last = number == len(free) - 1 and not asked
        role: Role = "gallery" if enrolled < config.shots and not is_last else "query"
        enrolled += len(rows) if role == "gallery" else 0
        asked = asked or role == "query"
        roles.update(dict.fromkeys(rows, role))
    yield from roles.items()


def _follow(rows: Sequence[int], samples: Sequence[SplitItem]) -> Iterator[tuple[int, Assignment]]:
    """What a set was before holds for what joins it; what would join both sides of one gets no place."""
    before = {place for i in rows if (place := samples[i].before)}
    for i in rows:
        if place := samples[i].before:
            yield i, place
        elif len(before) == 1:
            yield i, next(iter(before))


def _official(samples: Sequence[SplitItem], config: SplitConfig) -> dict[int, Assignment]:
    """Photos with a split of their source's; where it says no role, training photos and some shots are galleries."""
    trained = {sample.label for sample in samples if sample.split == "train"}
    places: dict[int, Assignment] = {}
    rows: dict[tuple[str, Split], list[int]] = defaultdict(list)
    for i, sample in enumerate(samples):
        if sample.split is None:
            continue
        if sample.role is not None:
            places[i] = sample.split, sample.role
        elif sample.split == "train":
            places[i] = "train", "gallery"
        elif sample.label in trained:  # a known class: its gallery is in training
            places[i] = sample.split, "query"
        else:
            rows[sample.label, sample.split].append(i)
    for (_, split), members in rows.items():
        places.update((i, (split, role)) for i, role in _enrol(_together(members, samples), samples, config))
    return places


def _together(rows: Sequence[int], samples: Sequence[SplitItem]) -> list[list[int]]:
    """Rows in sets that must stay on one side."""
    joined = Joined(len(rows))
    first: dict[Hashable, int] = {}
    for place, i in enumerate(rows):
        for key in _ties(samples[i]):
            joined.join(place, first.setdefault(key, place))
    return [[rows[place] for place in part] for part in joined.sets(range(len(rows))).values()]


def _ties(sample: SplitItem) -> Iterable[Hashable]:
    yield "image", sample.sha256
    if sample.group is not None:
        yield "group", sample.label, sample.group
    if sample.near_duplicates is not None:
        yield "near", sample.near_duplicates
    if sample.session is not None:
        yield "session", sample.label, sample.session
