"""The demo: the whole loop on sample pills, from photos to an answer on the device, with nothing to fetch.

Every pill of the dataset version is enrolled on the device. The unknowns that it is asked about are further pills,
which are rendered for that and are in no dataset.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from cli.stack import bring_up
from discern.datasets.manifest import DatasetVersion
from discern.errors import DiscernError
from discern.evaluation.plots.answer_sheet import Exhibit, answer_sheet
from discern.sources.base import Photo
from discern.sources.pills.config import PillsConfig
from discern.sources.pills.workers import class_photos
from edge_runtime.core.images import decode

if TYPE_CHECKING:
    from orchestration.publishing import Publication

SHOWN = 24  # queries on the picture
UNKNOWN_PILLS, PHOTOS_OF_UNKNOWN = 50, 3  # more pills and fewer photos of each tell more


@dataclass(frozen=True)
class ClassAnswers:
    """Numbers of queries of one class.

    Attributes:
        enrolled: whether the class is; all its queries are unknowns otherwise.
        queries: all of them.
        nearest_right: those whose nearest class is theirs.
        answered_right: those answered with their class, or, of an unknown, with `unknown`.
    """

    enrolled: bool
    queries: int
    nearest_right: int
    answered_right: int


@dataclass(frozen=True)
class Result:
    """What the demo found; shares between 0 and 1.

    Attributes:
        seconds: all of it, set-up of the environment aside.
        unseen_recall_at_1: of the device's nearest classes, on enrolled classes that the model never trained on.
        unseen_tpir: of the device's answers on the same queries.
        tnir: share of photos of pills that are in no dataset which the device called unknown.
        milliseconds: one identification on the device, all included, on average.
        by_class: the same queries by their class.
    """

    seconds: float
    unseen_recall_at_1: float
    unseen_tpir: float
    tnir: float
    milliseconds: float
    enrolled_queries: int
    unknown_queries: int
    by_class: dict[str, ClassAnswers]


def run(home: Path, console: Console, configs: Path) -> Result:
    """Photos to answers as `configs` say; everything lies under `home`."""
    started = time.perf_counter()
    with _stage(console, "1/5  local stack and signing keys"):
        _prepare(home)
    # ZenML looks for its stack on import, so it is imported once there is one.
    from orchestration.artifact_lookup import newest_output
    from pipelines.data import data_pipeline
    from pipelines.promotion import promotion_pipeline
    from pipelines.training import training_pipeline

    for number, pipeline in enumerate((data_pipeline, training_pipeline, promotion_pipeline), start=2):
        name = pipeline.name.removesuffix("_pipeline")
        with _stage(console, f"{number}/5  {name}: the same as `zenml pipeline run pipelines.{name}.{pipeline.name}`"):
            ready = pipeline.with_options(config_path=str(configs / f"{name}.yaml"))
            ready()
    dataset = newest_output("data_pipeline", "dataset_version", ready.use_case).load()
    publication = newest_output("promotion_pipeline", "publication", ready.use_case).load()
    with _stage(console, "5/5  device: pull the signed release, then identify without ZenML, torch or network"):
        _device(home, "pull", publication.repository, "--root", str(home / "keys" / "root.json"))
        photos = _write_photos(dataset, _further_pills(configs), home / "demo" / "photos")
        began = time.perf_counter()
        answers = _identify(home, photos)
        milliseconds = (time.perf_counter() - began) * 1000 / len(photos)
    result = _result(dataset, photos, answers, time.perf_counter() - started, milliseconds)
    picture = _draw(home, photos, answers, result)
    _report(console, home, dataset, result, picture, publication)
    return result


@dataclass(frozen=True)
class _Photo:
    path: Path
    label: str
    enrolled: bool


def _prepare(home: Path) -> None:
    from discern.publication.repository import ReleaseRepository

    bring_up(("local",))
    repository = ReleaseRepository(str(home / "releases"), home / "keys")
    repository.initialise()
    repository.refresh()  # a timestamp is good for a month, a cached run publishes nothing
    from zenml.client import Client

    # The demo runs on the local stack whatever stack a person works with at the moment.
    os.environ["ZENML_ACTIVE_STACK_ID"] = str(Client().get_stack("local").id)


def _write_photos(dataset: DatasetVersion, unknowns: Iterable[Photo], folder: Path) -> list[_Photo]:
    """Write the test queries and the unknowns as files, as a person would have them.

    Of a class that is held out as unknown queries are enrolled: its photos are not asked about.
    """
    shutil.rmtree(folder, ignore_errors=True)
    queries = dataset.select(split="test", role="query", labels=dataset.select(split="test", role="gallery").labels)
    encoded = [(label, queries.image_bytes(row), True) for row, label in enumerate(queries.column("label"))]
    encoded += [(str(photo.label), photo.load(), False) for photo in unknowns]
    photos = []
    for number, (label, data, enrolled) in enumerate(encoded):
        path = folder / label / f"{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        photos.append(_Photo(path, label, enrolled))
    return photos


def _further_pills(configs: Path) -> Iterator[Photo]:
    """Render pills that are like those of the dataset, and not in it."""
    from orchestration.config_check import read_config

    source = PillsConfig.model_validate(read_config(configs / "data.yaml", os.environ)["parameters"]["source"])
    first, last = source.families, source.families + UNKNOWN_PILLS
    further = source.model_copy(
        update={"families": last, "photos_per_class": PHOTOS_OF_UNKNOWN, "heldout_families": 0, "unknowns": 0}
    )
    return class_photos(further, range(first * source.siblings, last * source.siblings, source.siblings))


def _identify(home: Path, photos: list[_Photo]) -> list[dict[str, Any]]:
    lines = _device(home, "identify", "--json", *(str(photo.path) for photo in photos)).splitlines()
    return [json.loads(line) for line in lines]


def _device(home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "edge_runtime.service.cli", "--home", str(home / "device"), *arguments]
    return _check(subprocess.run(command, check=False, capture_output=True, text=True))


def _check(child: subprocess.CompletedProcess[str]) -> str:
    if child.returncode:
        raise DiscernError((child.stderr or child.stdout).strip().splitlines()[-1])
    return child.stdout


def _result(
    dataset: DatasetVersion, photos: list[_Photo], answers: list[dict[str, Any]], seconds: float, milliseconds: float
) -> Result:
    trained = set(dataset.select(split="train").column("label"))
    answers_of: dict[str, list[tuple[_Photo, dict[str, Any]]]] = defaultdict(list)
    for photo, answer in zip(photos, answers, strict=True):
        if not photo.enrolled or photo.label not in trained:
            answers_of[photo.label].append((photo, answer))
    by_class = {label: _class_answers(pairs) for label, pairs in answers_of.items()}
    unseen = [counts for counts in by_class.values() if counts.enrolled]
    unknowns = [counts for counts in by_class.values() if not counts.enrolled]
    if not unseen:
        raise DiscernError("The test split has no enrolled queries: check configs/pills/data.yaml.")
    enrolled_queries, unknown_queries = (sum(counts.queries for counts in part) for part in (unseen, unknowns))
    return Result(
        seconds=seconds,
        unseen_recall_at_1=sum(counts.nearest_right for counts in unseen) / enrolled_queries,
        unseen_tpir=sum(counts.answered_right for counts in unseen) / enrolled_queries,
        tnir=sum(counts.answered_right for counts in unknowns) / unknown_queries,
        milliseconds=milliseconds,
        enrolled_queries=enrolled_queries,
        unknown_queries=unknown_queries,
        by_class=by_class,
    )


def _class_answers(pairs: list[tuple[_Photo, dict[str, Any]]]) -> ClassAnswers:
    """Count the answers to the queries of one class."""
    return ClassAnswers(
        enrolled=pairs[0][0].enrolled,
        queries=len(pairs),
        nearest_right=sum(answer["matches"][0]["label"] == photo.label for photo, answer in pairs),
        answered_right=sum(answer["label"] == (photo.label if photo.enrolled else None) for photo, answer in pairs),
    )


def _draw(home: Path, photos: list[_Photo], answers: list[dict[str, Any]], result: Result) -> Path:
    """Two thirds enrolled classes, one third unknowns, spread evenly: chosen by place, not by how well they went."""
    from edge_runtime.device.home import Home

    release = Home(home / "device").open_current()
    enrolled = [number for number, photo in enumerate(photos) if photo.enrolled]
    unknowns = [number for number, photo in enumerate(photos) if not photo.enrolled]
    chosen = _spread(enrolled, SHOWN * 2 // 3) + _spread(unknowns, SHOWN // 3)
    exhibits = []
    for number in chosen:
        photo, answer = photos[number], answers[number]
        truth = photo.label if photo.enrolled else "unknown"
        said = answer["label"] or "unknown"
        reference = (
            None if answer["label"] is None else decode(release.thumbnail(release.labels.index(answer["label"])))
        )
        note = f"{answer['score']:.2f}" + ("" if said == truth else f", is {truth}")
        exhibits.append(Exhibit(decode(photo.path.read_bytes()), reference, said, note, said == truth))
    heading = (
        f"Query and answer: {result.unseen_tpir:.0%} of never-trained pills named right, "
        f"{result.tnir:.0%} of unknowns refused"
    )
    path = home / "demo" / "answers.png"
    answer_sheet(exhibits, heading).save(path)
    return path


def _spread(numbers: list[int], count: int) -> list[int]:
    count = min(count, len(numbers))
    return [numbers[i * len(numbers) // count] for i in range(count)]


def _report(
    console: Console, home: Path, dataset: DatasetVersion, result: Result, picture: Path, publication: Publication
) -> None:
    train = dataset.select(split="train")
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("trained on", f"{len(train):,} photos of {len(train.labels)} pills")
    table.add_row(
        "asked about",
        f"{len(result.by_class)} other pills: {result.enrolled_queries} photos of enrolled ones, "
        f"{result.unknown_queries} of unknowns",
    )
    table.add_row("enrolled", f"all {len(dataset.labels)} pills of the dataset")
    table.add_row("nearest class right", f"{result.unseen_recall_at_1:.1%} (recall@1)")
    table.add_row("answered right", f"{result.unseen_tpir:.1%}")
    table.add_row("unknowns refused", f"{result.tnir:.1%}")
    table.add_row("one answer", f"{result.milliseconds:.1f} ms with start-up, one thread")
    table.add_row("all of it", f"{result.seconds:.0f} s")
    table.add_row("this run", f"{publication.channel or 'nothing published'}: {publication.reason}")
    table.add_row("picture", str(picture))
    table.add_row("reports", str(home / "reports" / "index.html"))
    console.rule("Done")
    console.print(table)
    console.print(
        "\nNext: [bold]source .envrc[/bold], then [bold]discern-edge serve[/bold] and open http://127.0.0.1:8000, or "
        "run the steps of the README one at a time.",
        soft_wrap=True,
    )


@contextmanager
def _stage(console: Console, title: str) -> Iterator[None]:
    started = time.perf_counter()
    console.rule(title, align="left")
    yield
    console.print(f"[dim]{time.perf_counter() - started:.0f} s[/dim]")
