"""Label conflicts of an ingestion: which there are, and what a person's decision on one of them adds to the table.

Pure: rejects and decisions in, conflicts and decisions out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from discern.datasets.ingest.decisions import Decision, in_force
from discern.datasets.ingest.rejected import Rejected
from discern.errors import DataError
from discern.sources.names import clean_label
from discern.suggestions import suggest


@dataclass(frozen=True)
class Conflict:
    """Photos that are one picture under several labels, one of them perhaps empty.

    Args:
        photos: as they were rejected.
        decided: what was decided on them since, by their names.
    """

    photos: tuple[Rejected, ...]
    decided: Mapping[str, Decision]

    @property
    def names(self) -> list[str]:
        """The names by which the photos are decided on, each once."""
        return list(dict.fromkeys(photo.decision_name for photo in self.photos))

    @property
    def choices(self) -> dict[str, str]:
        """Label -> the first photo that has it; a decision on it settles the conflict."""
        choices: dict[str, str] = {}
        for photo in self.photos:
            if photo.label is not None:
                choices.setdefault(photo.label, photo.decision_name)
        return choices


@dataclass(frozen=True)
class Ingested:
    """What a decision is checked against: the newest ingestion and the table.

    Args:
        labels: classes of the version.
        rejected: photos that are not in it.
        table: lines of the table of decisions.
        prefix: name of the only source with a slash, which may stand before a photo's name; empty where there are
            several.
    """

    labels: Collection[str]
    rejected: Sequence[Rejected]
    table: Sequence[Decision]
    prefix: str = ""

    def conflicts(self) -> list[Conflict]:
        """Return the label conflicts, in the order of their first photos."""
        decisions = in_force(self.table)
        groups: dict[str, list[Rejected]] = {}
        for reject in self.rejected:
            if reject.kind == "conflict":
                groups.setdefault(reject.reason, []).append(reject)
        return [
            Conflict(tuple(group), {name: decisions[name] for name in _names(group) if name in decisions})
            for group in groups.values()
        ]

    def decide(self, wanted: Decision, *, is_new: bool = False, also: bool = False) -> list[Decision]:
        """Return the lines that a decision adds to the table; none where it says what the table says already.

        What was decided on other photos of the same conflict is taken back.

        Args:
            wanted: the decision.
            is_new: its label may be one that no photo has.
            also: keep what was decided on other photos of the conflict: they are pictures of several things.

        Raises:
            DataError: the photo is in no conflict, or no photo has the label; a sentence for each.
        """
        problems = []
        photo = self._photo(wanted.photo)
        if photo is None:
            problems.append(self._unknown(wanted.photo))
        label = clean_label(wanted.label, "the decision")
        labels = self._labels()
        if label not in labels and not is_new:
            mend = _mend(label, labels)
            problems.append(f"no photo has the label {label!r}: {mend}")
        if problems or photo is None:
            raise DataError("\n".join(problems))
        decision = replace(wanted, photo=photo, label=label)
        others = () if also else self._others(photo)
        lines = [replace(decision, photo=other, label="", why=f"{photo} was decided on") for other in others]
        held = in_force(self.table).get(photo)
        return lines if held and held.label == label else [*lines, decision]

    def take_back(self, wanted: Decision) -> list[Decision]:
        """Return the line that takes the decision on a photo back.

        Raises:
            DataError: there is none in the table.
        """
        decisions = in_force(self.table)
        name = wanted.photo if wanted.photo in decisions else wanted.photo.removeprefix(self.prefix)
        if name not in decisions:
            known = f"decided on are {', '.join(sorted(decisions))}." if decisions else "there are no decisions."
            raise DataError(f"the table holds no decision on {wanted.photo}: {suggest(name, decisions, known)}")
        return [replace(wanted, photo=name, label="")]

    def _photo(self, name: str) -> str | None:
        """Return the photo that a name means, of those in a conflict or decided on before.

        A thing in a box may be named by its photo alone, where no other thing in that photo is in a conflict.
        """
        known = self._known()
        names = (name, name.removeprefix(self.prefix))
        if photo := next((photo for photo in names if photo in known), None):
            return photo
        things = self._things(names)
        return things[0] if len(things) == 1 else None

    def _things(self, photos: Collection[str]) -> list[str]:
        """Return the names of the things in some photos that are in a conflict."""
        return _names(reject for reject in self.rejected if reject.kind == "conflict" and reject.name in photos)

    def _known(self) -> set[str]:
        in_conflict = {name for conflict in self.conflicts() for name in conflict.names}
        return in_conflict | {decision.photo for decision in self.table}

    def _unknown(self, name: str) -> str:
        photo = name.removeprefix(self.prefix)
        if things := self._things((name, photo)):
            return f"several things in {name} are in label conflicts: name one of {', '.join(things)}."
        reason = next((reject.reason for reject in self.rejected if reject.name in (name, photo)), None)
        if reason is not None:
            return f"{name} is in no label conflict: {reason}"
        known = self._known()
        otherwise = f"those that are: {', '.join(sorted(known)[:3])}." if known else "there is none."
        return f"{name} is in no label conflict: {suggest(photo, known, otherwise, count=3)}"

    def _labels(self) -> set[str]:
        of_rejects = {reject.label for reject in self.rejected if reject.label is not None}
        return {*self.labels, *of_rejects, *(decision.label for decision in self.table if decision.label)}

    def _others(self, photo: str) -> list[str]:
        """Return the other photos of a photo's conflict that somebody decided on."""
        return [
            name
            for conflict in self.conflicts()
            if photo in conflict.names
            for name in conflict.decided
            if name != photo
        ]


def _names(rejects: Iterable[Rejected]) -> list[str]:
    return list(dict.fromkeys(reject.decision_name for reject in rejects))


def _mend(label: str, labels: Collection[str]) -> str:
    near = suggest(label, labels, otherwise="", count=3)
    return f"{near} (Add --new if it is a new class.)" if near else "add --new if it is a new class."
