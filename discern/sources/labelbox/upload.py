"""Photos to be labelled, sent to a project at Labelbox as one batch.

Rules kept:
- a picture is known by its content: its global key is the SHA-256 of its bytes, so it is stored once, however often
  and under whatever name it is sent;
- a picture that the project has already, in whichever batch, is not queued a second time;
- everything is checked before anything is sent: a photo that ingest will refuse, or a batch's name that is taken;
- sending the same again, or again after it broke off anywhere, ends in the same state.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from PIL import Image

from discern.errors import ConfigError, DataError
from discern.map_ahead import map_ahead
from discern.progress import bar
from discern.sources.base import Photo
from discern.sources.labelbox.live import MOST_KEYS, export
from edge_runtime.core.images import FORMATS, decode
from edge_runtime.errors import ImageError

if TYPE_CHECKING:
    from discern.sources.labelbox.sdk import Client

PREFIX = "discern-"
MOST_PICTURES = 100_000  # in one batch; Labelbox's own limit
AT_ONCE = 1000  # pictures in one request for data rows
MOST_TOLD = 20  # refused photos that are named
UNSHOWN = {"HEIF": "HEIC", "PPM": "PPM"}  # what the page on which people label cannot show
PATIENCE = 3600.0  # seconds that Labelbox may take for one job

Item = TypeVar("Item")
BatchOutcome = Literal["created", "unchanged", "not needed"]


@dataclass(frozen=True)
class Sent:
    """The outcome of sending photos.

    Args:
        pictures: how many different ones there were.
        uploaded: those that Labelbox did not have.
        queued: those that the project did not have.
        batch: `not needed` where the project had them all, in other batches.
    """

    pictures: int
    uploaded: int
    queued: int
    batch: BatchOutcome


def send(photos: Iterable[Photo], project: str, batch: str, dataset: str = "discern", priority: int = 5) -> Sent:
    """Queue photos for labelling, under the key and at the address in the environment.

    Args:
        photos: what is to be labelled; labels that they have are not sent.
        project: the project's id at Labelbox.
        batch: the name of the batch.
        dataset: the name of the dataset that new pictures go into; made if there is none.
        priority: 1 is labelled first, 5 last.

    Raises:
        ConfigError: the key or the project is wrong, or the batch's name is taken by other pictures.
        DataError: a photo is no picture, or Labelbox cannot be reached or fails; send again, what arrived is kept.
    """
    from discern.sources.labelbox.sdk import connect, sentences

    client, doing = connect(), f"sending batch {batch!r} to project {project}"
    with sentences(doing):
        target = client.get_project(project)
    pictures = _pictures(photos)
    with sentences(doing):
        absent = _absent(client, list(pictures))
        waiting = pictures.keys() - _in_project(client, project, sorted(pictures.keys() - set(absent)))
        same_name = _batch(target, batch, bool(waiting))
        if absent:
            _upload(client, _dataset(client, dataset), {key: pictures[key] for key in absent})
        if waiting:
            _queue(target, batch, same_name, sorted(waiting), priority)
    return Sent(len(pictures), len(absent), len(waiting), _outcome(bool(waiting), same_name))


def _outcome(is_queued: bool, same_name: Any) -> BatchOutcome:
    if is_queued:
        return "created"
    return "unchanged" if same_name else "not needed"


def global_key(data: bytes) -> str:
    """Return the global key of a picture at Labelbox, which depends on its content alone."""
    return PREFIX + hashlib.sha256(data).hexdigest()


def _pictures(photos: Iterable[Photo]) -> dict[str, Photo]:
    """Return the photos by key, the first of each; every one was decoded as ingest will decode it.

    Raises:
        DataError: some will be refused there, with a sentence for each, or there are none or too many.
    """
    pictures: dict[str, Photo] = {}
    refused: list[str] = []
    # As many threads as cores: each holds a decoded photo.
    looked_at = map_ahead(_look, photos, workers=os.cpu_count() or 1)
    for photo, (key, problem) in bar(looked_at, name="reading photos", unit="photo"):
        if problem is None:
            pictures.setdefault(key, photo)
        else:
            refused.append(problem)
    if refused:
        more = f"; and {len(refused) - MOST_TOLD} more such" if len(refused) > MOST_TOLD else ""
        raise DataError("\n".join(refused[:MOST_TOLD]) + f"\nnothing was sent: mend or remove these{more}.")
    if not pictures:
        raise DataError("there are no photos to send: point at some.")
    if len(pictures) > MOST_PICTURES:
        raise DataError(
            f"a batch holds at most {MOST_PICTURES:,} pictures and these are {len(pictures):,}: send parts."
        )
    return pictures


def _look(photo: Photo) -> tuple[str, str | None]:
    """Return the key of a photo, and the sentence that says why it cannot be labelled."""
    data = photo.load()
    try:
        decode(data, photo.name)
        if (kind := _format(data)) in UNSHOWN:
            return "", f"{photo.name} is {UNSHOWN[kind]}, which browsers do not show: save it as JPEG."
    except ImageError as error:
        return "", str(error)
    return global_key(data), None


def _format(data: bytes) -> str:
    """Return Pillow's name of the format of a photo that was decoded before."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return image.format or ""


def _mime_type(data: bytes) -> str:
    """Return the type to send a photo as; a phone's MPO is a JPEG with more behind it."""
    kind = _format(data)
    return "image/jpeg" if kind == "MPO" else Image.MIME[kind]


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(itertools.islice(rest, size)):
        yield chunk


def _in_project(client: Client, project: str, keys: list[str]) -> set[str]:
    """Return those of the keys that the project has, in any batch."""
    exported: set[str] = set()
    for chunk in _chunks(keys, MOST_KEYS):
        rows = export(client, project, {"global_keys": chunk}, PATIENCE)
        exported.update(row["data_row"]["global_key"] for row in rows)
    return exported & set(keys)


def _batch(project: Any, name: str, will_queue: bool) -> Any:
    """Return the project's batch of this name, or None; an empty one is what a broken creation left."""
    same_name = next((batch for batch in project.batches() if batch.name == name), None)
    if same_name is not None and will_queue and same_name.size != 0:
        raise ConfigError(
            f"project {project.uid} has a batch {name!r} of other pictures ({same_name.size}): choose another name."
        )
    return same_name


def _absent(client: Client, keys: list[str]) -> list[str]:
    """Return those of the keys that Labelbox has no picture for.

    Raises:
        ConfigError: it has, but the API key may not see it.
    """
    absent = []
    for chunk in _chunks(keys, AT_ONCE):
        for fault in client.get_data_row_ids_for_global_keys(chunk)["errors"]:
            if "denied" in fault["error"].lower():
                raise ConfigError(f"the API key may not see picture {fault['global_key']}: ask for its dataset.")
            absent.append(fault["global_key"])
    return absent


def _dataset(client: Client, name: str) -> Any:
    """Return the oldest dataset of this name, or a new one: one whose creation was answered in vain is taken again."""
    from labelbox import Dataset

    datasets = client.get_datasets(where=Dataset.name == name)
    oldest = min(datasets, key=lambda dataset: (dataset.created_at, dataset.uid), default=None)
    return oldest if oldest is not None else client.create_dataset(name=name, iam_integration=None)


def _upload(client: Client, dataset: Any, pictures: dict[str, Photo]) -> None:
    with bar(total=len(pictures), name="sending photos", unit="photo") as progress:
        for chunk in _chunks(pictures.items(), AT_ONCE):
            rows = []
            for _, row in map_ahead(lambda item: _upload_one(client, *item), chunk):
                rows.append(row)
                progress.update()
            _create(client, dataset, rows)


def _upload_one(client: Client, key: str, photo: Photo) -> dict[str, str]:
    data = photo.load()
    if global_key(data) != key:
        raise DataError(f"{photo.name} changed while it was sent: send again once nothing writes there any more.")
    mime_type = _mime_type(data)
    url = client.upload_data(data, filename=f"{key}.{mime_type.rpartition('/')[2]}", content_type=mime_type)
    return {"row_data": url, "global_key": key, "external_id": photo.name}


def _create(client: Client, dataset: Any, rows: list[dict[str, str]]) -> None:
    task = dataset.create_data_rows(rows)
    task.wait_till_done(timeout_seconds=PATIENCE)
    # Rows that a run before this one made meanwhile are refused here, and are there: what counts is what is missing.
    if missing := _absent(client, [row["global_key"] for row in rows]):
        faults = task.errors if task.status == "COMPLETE" else None
        why = faults[0]["message"] if faults else f"its task is {task.status}"
        raise DataError(f"Labelbox did not take {len(missing)} of {len(rows)} pictures ({why}): send again.")


def _queue(project: Any, name: str, same_name: Any, keys: list[str], priority: int) -> None:
    if same_name is not None:
        same_name.delete()
    batch = project.create_batch(name, global_keys=keys, priority=priority)
    if refused := list(batch.failed_data_row_ids):
        raise DataError(
            f"project {project.uid} did not take {len(refused)} of {len(keys)} pictures: look at its batch {name!r}."
        )
