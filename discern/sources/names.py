"""Names that carry facts: labels as their source spells them, and the group and the time that a photo's path holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discern.errors import DataError
from discern.sources.base import Split

MAX_LABEL = 200  # characters
# Control characters, halves of surrogate pairs, and breaks of lines and paragraphs: nobody types them on purpose, and
# not every file or page that shows a label survives them.
_UNFIT = frozenset({"Cc", "Cs", "Zl", "Zp"})
_SPLITS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
    "eval": "validation",
    "test": "test",
}
# Words beside a split in the name of a folder.
_NEUTRAL = frozenset({"obj", "data", "set", "split", "images", "image", "imgs", "labels", "annotations"})


def clean_label(label: str, where: str) -> str:
    """A label in Unicode's composed form (NFC), otherwise as it is written.

    Args:
        label: as the source spells it; capitals and blanks stay, a check tells of labels that differ by them alone.
        where: what the message of an error names: a file, and a line or an id in it.

    Raises:
        DataError: it is blank, longer than `MAX_LABEL` characters, or holds a control character.
    """
    if not label.strip():
        raise DataError(f"{where} has a blank label: give it a name.")
    if unfit := next((sign for sign in _unprintable(label) if unicodedata.category(sign) in _UNFIT), None):
        raise DataError(f"{where} has a label with the character U+{ord(unfit):04X}, {label[:50]!a}: remove it.")
    if len(label) > MAX_LABEL:
        raise DataError(
            f"{where} has a label of {len(label)} characters, {label[:50]!r}...: shorten it to {MAX_LABEL} or fewer."
        )
    return unicodedata.normalize("NFC", label)


def split_named(text: str) -> Split | None:
    """The split that a word stands for; `val`, `valid`, `dev` and `eval` are validation. None where it is none."""
    return _SPLITS.get(text.strip().lower())


def split_in_words(text: str) -> Split | None:
    """The split that a word in a name stands for, as `val` does in `instances_val2017`; None where none does."""
    return next((split for word in _words(text) if (split := split_named(word))), None)


def split_of_path(path: str) -> Split | None:
    """The split that the nearest folder of a file is named after that is (`train2017`, `obj_Train_data`), or None."""
    for folder in reversed(path.split("/")[:-1]):
        words = [word for word in _words(folder) if word.lower() not in _NEUTRAL]
        if len(words) == 1 and (split := split_named(words[0])):
            return split
    return None


def splits_of_folders(paths: Iterable[str]) -> dict[str, Split]:
    """The splits that folders name, by path; none where no two splits are named, since one says nothing."""
    splits = {path: split for path in paths if (split := split_of_path(path))}
    return splits if len(set(splits.values())) > 1 else {}


def _words(text: str) -> list[str]:
    return re.findall("[A-Za-z]+", text)


class NamesConfig(BaseModel):
    r"""Regular expressions that find a photo's group and time in its path; a path without a match has none.

    For `tray7/image-2020-04-22-10-15-03-left.jpg`: group_pattern `(tray\d+)/`, time_pattern
    `image-(\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)`, time_format `%Y-%m-%d-%H-%M-%S`.

    Args:
        group_pattern: its first capture group is the photo's group.
        time_pattern: its first capture group is when the photo was taken.
        time_format: how that is written, in the letters of Python's `strptime`; UTC unless it holds a zone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    group_pattern: str | None = Field(default=None, min_length=1)
    time_pattern: str | None = Field(default=None, min_length=1)
    time_format: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _make_sense(self) -> NamesConfig:
        if self.group_pattern is None and self.time_pattern is None:
            raise ValueError("names needs group_pattern, or time_pattern with time_format")
        if (self.time_pattern is None) != (self.time_format is None):
            raise ValueError("time_pattern and time_format go together: set both, or neither")
        for key, pattern in (("group_pattern", self.group_pattern), ("time_pattern", self.time_pattern)):
            if pattern is not None:
                _check_pattern(key, pattern)
        if self.time_format is not None:
            _check_format(self.time_format)
        return self

    def group(self, path: str) -> str | None:
        """The group that a photo's path names."""
        return _first_group(self.group_pattern, path)

    def captured_at(self, path: str) -> datetime | None:
        """When a photo was taken, by its path; UTC.

        Raises:
            DataError: what `time_pattern` finds is not written as `time_format` says.
        """
        text = _first_group(self.time_pattern, path)
        if text is None or self.time_format is None:
            return None
        try:
            return in_utc(datetime.strptime(text, self.time_format))  # noqa: DTZ007 - a format may hold a zone
        except (ValueError, OverflowError):
            raise DataError(
                f"the time {text!r} that time_pattern {self.time_pattern} finds in {path} is not written as "
                f"{self.time_format}: mend time_pattern or time_format, or rename the file."
            ) from None


def in_utc(moment: datetime) -> datetime:
    """A moment in UTC; one without a zone is taken to be in it.

    Raises:
        OverflowError: it would lie before the year 1 or after the year 9999.
    """
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _unprintable(label: str) -> str:
    return "" if label.isprintable() else label


def _first_group(pattern: str | None, path: str) -> str | None:
    match = re.search(pattern, path) if pattern is not None else None
    return match.group(1) or None if match else None


def _check_pattern(key: str, pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{key} {pattern!r} is no regular expression ({error})") from None
    if not groups:
        raise ValueError(f"{key} {pattern!r} has no capture group: put ( ) around the part that is meant")


def _check_format(time_format: str) -> None:
    sample = datetime(2023, 11, 28, 13, 14, 15, tzinfo=UTC)
    try:
        read = datetime.strptime(sample.strftime(time_format), time_format)  # noqa: DTZ007 - likewise
    except (ValueError, re.error) as error:
        raise ValueError(f"time_format {time_format!r} cannot be read with ({error})") from None
    if read.date() != sample.date():
        raise ValueError(f"time_format {time_format!r} gives no full date: it needs year, month and day")
