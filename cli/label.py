"""`discern label`: send photos that nobody labelled yet to a Labelbox project as one batch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from cli.console import example, json_option, stdout_for_json, tell, tell_json

if TYPE_CHECKING:
    from discern.sources.base import Photo


@click.command(epilog=example("discern label --photos ~/photos --project cl9x... --batch 'week 3'"))
@click.option("--photos", required=True, help="A folder, a .zip or a bucket prefix of photos, at any depth.")
@click.option("--project", required=True, help="The project's id at Labelbox.")
@click.option("--batch", required=True, help="A name for the batch; the same name again changes nothing.")
@click.option("--dataset", default="discern", show_default=True, help="The dataset that new pictures go into.")
@click.option("--priority", type=click.IntRange(1, 5), default=5, show_default=True, help="1 is labelled first.")
@json_option
def label(photos: str, project: str, batch: str, dataset: str, priority: int, as_json: bool) -> None:
    """Send photos to Labelbox, as one batch to be labelled."""
    from discern.sources.labelbox.upload import send
    from orchestration.secrets import provide

    with stdout_for_json(as_json):
        provide()
        sent = send(_photos(photos), project, batch, dataset, priority)
    if as_json:
        tell_json(
            {"pictures": sent.pictures, "uploaded": sent.uploaded, "queued": sent.queued, "batch": batch,
             "state": sent.batch}
        )  # fmt: skip
        return
    tell(
        f"{sent.pictures} pictures: {sent.uploaded} uploaded, {sent.queued} queued for labelling; batch {batch!r} "
        f"{sent.batch}"
    )


def _photos(location: str) -> Iterator[Photo]:
    from discern.sources.base import Photo
    from discern.sources.files.open import open_tree
    from discern.sources.paths import images_below

    tree = open_tree(location)
    for path in images_below(tree):
        yield Photo(path, None, partial(tree.read, path))
