"""`python -m cli.label`: photos that nobody labelled yet, sent to a Labelbox project as one batch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from rich.console import Console

from cli.failing import fail
from discern.sources.base import Photo
from discern.sources.files.open import open_tree
from discern.sources.labelbox.upload import Sent, send
from discern.sources.paths import images_below
from edge_runtime.errors import UserError
from orchestration.secrets import provide


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the photos; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cli.label", description=__doc__)
    parser.add_argument("--photos", required=True, help="a folder, a .zip or a bucket prefix of photos, at any depth")
    parser.add_argument("--project", required=True, help="the project's id at Labelbox")
    parser.add_argument("--batch", required=True, help="a name for the batch; the same name again changes nothing")
    parser.add_argument("--dataset", default="discern", help="the dataset that new pictures go into (discern)")
    parser.add_argument("--priority", type=int, choices=range(1, 6), default=5, help="1 is labelled first, 5 last (5)")
    options = parser.parse_args(arguments)
    try:
        provide()
        sent = send(_photos(options.photos), options.project, options.batch, options.dataset, options.priority)
    except UserError as error:
        return fail(error)
    Console().print(_line(sent, options.batch), highlight=False, soft_wrap=True, markup=False)
    return 0


def _photos(place: str) -> Iterator[Photo]:
    tree = open_tree(place)
    for path in images_below(tree):
        yield Photo(path, None, partial(tree.read, path))


def _line(sent: Sent, batch: str) -> str:
    return (
        f"{sent.pictures} pictures: {sent.uploaded} uploaded, {sent.queued} queued for labelling; batch {batch!r} "
        f"{sent.batch}"
    )


if __name__ == "__main__":
    sys.exit(main())
