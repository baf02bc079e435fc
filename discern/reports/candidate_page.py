"""The page with the pictures of a release."""

from __future__ import annotations

from html import escape

import numpy as np

from discern.datasets.manifest import DatasetVersion
from discern.evaluation.plots.confusions import ConfusionPair
from discern.reports.candidate_plots import PAIRS, Depiction
from discern.reports.html import data_uri, page
from edge_runtime.core.release import Release

TITLES = {
    "retrieval_grid": (
        "Queries beside their nearest classes",
        "The worst of the device's answers to the test queries.",
    ),
    "confusion_pairs": ("Classes taken for each other", "Things that look alike, or photos under a wrong label."),
    "embedding_map": (
        "Map of the embeddings",
        "Each enrolled class should be a group of its own, apart from unknowns.",
    ),
    "reliability": (
        "Reliability of the stated probabilities",
        "Of the answers that are called 80 % sure, 80 % should be right.",
    ),
}


def depiction_page(release: Release, version: DatasetVersion, depiction: Depiction) -> str:
    """Write the page as one HTML text that needs no network.

    Args:
        release: the release that answered.
        version: the dataset version whose test queries it answers.
        depiction: pictures of its answers.
    """
    title = f"Release {release.id} of {release.manifest.name}"
    subtitle = f"Its answers to the test split of dataset version {version.id}."
    head = f'<h1>{escape(title)}</h1><p class="muted">{subtitle}</p>'
    return page(title, [head, *(_section(name, depiction) for name in TITLES)])


def _section(name: str, depiction: Depiction) -> str:
    title, explanation = TITLES[name]
    if name not in depiction.pictures:
        return f"<h2>{title}</h2><p>{escape(depiction.missing[name])}</p>"
    picture = f'<img alt="{title}" style="max-width: 100%" src="{data_uri(np.asarray(depiction.pictures[name]))}">'
    table = _table(depiction.confusions.pairs) if name == "confusion_pairs" and depiction.confusions else ""
    return f'<h2>{title}</h2><p class="muted">{explanation}</p>{picture}{table}'


def _table(pairs: tuple[ConfusionPair, ...]) -> str:
    head = "".join(f"<th>{title}</th>" for title in ("Class", "and class", "Wrong names", "Nearest"))
    rows = "".join(
        f"<tr><td>{escape(pair.first)}{' (unknown)' if pair.unknown else ''}</td><td>{escape(pair.second)}</td>"
        f'<td class="number">{pair.named}</td><td class="number">{pair.nearest}</td></tr>'
        for pair in pairs[:PAIRS]
    )
    return f"<details><summary>As a table</summary><table><tr>{head}</tr>{rows}</table></details>"
