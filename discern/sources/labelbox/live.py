"""A project at Labelbox, read through its SDK."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from discern.errors import DataError
from discern.progress import bar
from discern.sources.base import Photo, Source
from discern.sources.labelbox.config import LabelboxConfig
from discern.sources.labelbox.export import MalformedRowError, Picture, read_row, unreadable
from discern.sources.labelbox.labels import instances
from discern.sources.labelbox.pictures import Labelled, Loader, named, photos

if TYPE_CHECKING:
    from discern.sources.labelbox.sdk import Client

PARTS = {"data_row_details": True, "project_details": True, "label_details": True, "performance_details": True}
FIRST_LOOK, LONGEST_LOOK = 0.5, 10.0  # seconds between two looks at an export that is being made
MOST_KEYS = 2000  # keys in one filter; Labelbox's own limit


class LabelboxSource(Source):
    """Photos of a Labelbox project, by name. The project is exported when this is made, and only then.

    Raises:
        ConfigError: the key, the project or the question is wrong.
        DataError: Labelbox cannot be reached, or does not make the export.
    """

    is_live = True

    def __init__(self, config: LabelboxConfig) -> None:
        self.config = config
        self.name = f"labelbox-{config.project}"
        self._labelled = named(instances(_pictures(config), config, f"Labelbox project {config.project}"))

    def fingerprint(self) -> str:
        """A hash of the settings, the pictures' stamps and their labels; no address is part of it."""
        digest = hashlib.sha256(self.config.model_dump_json(exclude={"timeout"}).encode())
        for labelled in self._labelled:
            digest.update(
                json.dumps(
                    [labelled.name, labelled.picture.id, labelled.stamp, labelled.instances], default=str
                ).encode()
            )
        return digest.hexdigest()

    def __len__(self) -> int:
        return sum(len(labelled.instances) for labelled in self._labelled)

    def photos(self) -> Iterator[Photo]:
        """Stream the photos; none is fetched before it is loaded."""
        yield from photos(self._labelled, _image, self.config.margin, self.name)


def _image(labelled: Labelled) -> tuple[Loader, str | None]:
    return labelled.download(), labelled.stamp


def _pictures(config: LabelboxConfig) -> Iterator[Picture]:
    from discern.sources.labelbox.sdk import connect

    filters = {}
    if config.unreviewed == "ignore" and config.statuses == ("DONE",):
        filters = {"workflow_status": "Done"}  # the others need not travel
    rows = export(connect(), config.project, filters, config.timeout)
    for number, row in enumerate(bar(rows, name="reading labels", unit="row"), start=1):
        where = f"row {number} of Labelbox project {config.project}"
        try:
            yield read_row(row, where, config.project)
        except MalformedRowError as error:
            yield unreadable(where, error)


def export(client: Client, project: str, filters: dict[str, Any], timeout: float) -> Iterator[dict[str, Any]]:
    """Export a project, and stream its rows.

    Args:
        client: who asks.
        project: the project's id.
        filters: which rows, as Labelbox's SDK takes them; empty for all.
        timeout: how long the export may take, seconds.

    Raises:
        ConfigError: the key may not, or there is no such project.
        DataError: Labelbox cannot be reached, fails, or takes longer.
    """
    from discern.sources.labelbox.sdk import sentences

    with sentences(f"exporting project {project}"):
        task = client.get_project(project).export(params=PARTS, filters=filters)
        done = _wait(client, task.uid, project, timeout)
        _check_complete(done, project)
        if done.has_result():
            for row in done.get_buffered_stream():
                yield row.json


def _check_complete(task: Any, project: str) -> None:
    from labelbox import StreamType

    if task.has_errors():
        lines = task.get_total_lines(StreamType.ERRORS)
        raise DataError(
            f"Labelbox could not export {lines} rows of project {project}: run again, or look at them there."
        )


def _wait(client: Client, task: str, project: str, timeout: float) -> Any:
    """The finished task, with a bar until then."""
    import labelbox

    end, look = time.monotonic() + timeout, FIRST_LOOK
    with bar(total=100, name="Labelbox makes the export", unit="%") as progress:
        while True:
            now = labelbox.ExportTask.get_task(client, task)
            progress.update(round(now.completion_percentage or 0) - progress.n)
            if now.status == "COMPLETE":
                return now
            if now.status != "IN_PROGRESS":
                raise DataError(f"Labelbox could not make the export of project {project} ({now.status}): run again.")
            if time.monotonic() + look > end:
                raise DataError(
                    f"Labelbox took longer than {timeout:.0f} s to export project {project}: raise timeout, or run "
                    "again later."
                )
            time.sleep(look)
            look = min(2 * look, LONGEST_LOOK)
