"""What the learning benchmarks share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import learning
from benchmarks.learning import Recipe
from benchmarks.run import Run
from discern.datasets.ingest.write_version import write_version
from discern.datasets.manifest import DatasetVersion
from discern.datasets.photo_set import load_photos
from discern.errors import ConfigError
from discern.evaluation.cross_fitting import cross_fitted_rates
from discern.evaluation.retrieval import SearchResults
from discern.learning.checkpoints import Checkpoint
from discern.learning.config import DistillConfig, ImageConfig
from discern.learning.embedding import embed
from discern.learning.models import TorchEmbedder, count_multiply_adds
from discern.learning.safe_load import load_tensors
from discern.sources.pills import PillsConfig
from tests.benchmarks import trials
from tests.discern import toy

ENVIRONMENT = {"OMNIGLOT": "/data/omniglot.zip", "GROCERY_PHOTOS": "/data/grocery.zip"}
USE_CASES = ("omniglot", "omniglot_vinyals", "groceries_closed", "groceries_scratch", "pills_lookalike")
STEPS, HALF = 20, 10
TRAINING = toy.config(steps=STEPS, checkpoint_every=HALF)
RECIPE = trials.small(
    Recipe(
        source=PillsConfig(families=1, photos_per_class=1),
        image=ImageConfig(size=toy.PREPROCESSING.size),
        teacher=TRAINING,
        student=TRAINING.model_copy(update={"seed": 1}),
    )
)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    return write_version(toy.photos(), str(tmp_path_factory.mktemp("shards")), source="toy")[0]


@pytest.fixture(scope="module")
def learned(version: DatasetVersion, tmp_path_factory: pytest.TempPathFactory) -> tuple[learning.Models, Path]:
    """Models of an unbroken run, and its work folder; not to be changed."""
    work = tmp_path_factory.mktemp("learned")
    return learning.learn(RECIPE, version, work), work


def logged(work: Path, part: str) -> list[int]:
    (path,) = work.glob(f"{part}-*.jsonl")
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def weights(work: Path, part: str) -> dict[str, torch.Tensor]:
    (path,) = work.glob(f"{part}-*.pt")
    state: dict[str, torch.Tensor] = load_tensors(path.read_bytes())
    return state


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def results(truth: list[int], found: list[int], scores: list[float]) -> SearchResults:
    best = np.array(scores, dtype=np.float32)
    names = tuple(str(number) for number in truth)
    none = np.zeros(len(truth), bool)
    return SearchResults(np.array(truth), np.array(found), np.stack([best, best - 1], 1), ("0", "1"), names, none, none)


@pytest.mark.parametrize("use_case", USE_CASES)
def test_the_recipe_of_a_use_case(use_case: str) -> None:
    recipe = learning.read_recipe(use_case, ENVIRONMENT)
    assert recipe.source.kind == {"omni": "omniglot", "groc": "grocery", "pill": "pills"}[use_case[:4]]
    assert len({part.model.embedding_dim for part in recipe.trainings.values()}) == 1
    costs = {
        part: count_multiply_adds(TorchEmbedder(config.model, recipe.image.preprocessing), recipe.image.size)
        for part, config in recipe.trainings.items()
    }
    assert ("teacher" in costs) == (recipe.student.model.weights is None)
    assert costs.get("teacher", 6 * costs["student"]) >= 6 * costs["student"]  # what students are to be lighter by


def test_a_recipe_without_its_photos_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMNIGLOT", raising=False)
    with pytest.raises(ConfigError, match="OMNIGLOT"):
        learning.read_recipe("omniglot")


def test_a_change_is_made_to_both_trainings() -> None:
    changed = RECIPE.with_trainings(steps=3, seed=None)
    assert (changed.trainings["teacher"].steps, changed.student.steps) == (3, 3)
    assert (changed.trainings["teacher"].seed, changed.student.seed) == (0, 1)
    assert RECIPE.with_trainings(steps=None) == RECIPE


def test_teacher_and_student_answer_by_the_runtime_of_the_device(
    learned: tuple[learning.Models, Path], version: DatasetVersion
) -> None:
    models, work = learned
    pixels = load_photos(version.take(range(70)), toy.PREPROCESSING).pixels  # more than are embedded at once
    nets = [TorchEmbedder(part.model, toy.PREPROCESSING) for part in (RECIPE.trainings["teacher"], RECIPE.student)]
    for (part, answer), net in zip(models.parts().items(), nets, strict=True):
        net.load_state_dict(weights(work, part))
        np.testing.assert_allclose(answer(pixels), embed(net, pixels).numpy(), atol=1e-4)
    teacher, student = (count_multiply_adds(net, toy.PREPROCESSING.size) for net in nets)
    assert models.macs_ratio == teacher / student


def test_nothing_is_trained_twice(
    learned: tuple[learning.Models, Path], version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, work = learned
    before = trials.models_in(work)
    for name in ("train_on_labels", "distil_student"):
        monkeypatch.delattr(learning, name)
    learning.learn(RECIPE, version, work)
    assert trials.models_in(work) == before


def test_what_was_trained_leaves_a_log_and_no_checkpoint(learned: tuple[learning.Models, Path]) -> None:
    _, work = learned
    for part in ("teacher", "student"):
        assert logged(work, part) == [HALF, STEPS, STEPS]  # the last with the recall of validation
    assert not list(work.glob("*.checkpoint"))


def test_other_settings_or_photos_are_trained_anew(version: DatasetVersion, tmp_path: Path) -> None:
    short = RECIPE.with_trainings(steps=1)
    changes = (
        (short, version, 2),
        (short, version.take(range(1, len(version))), 2),
        (short.model_copy(update={"student": short.student.model_copy(update={"seed": 5})}), version, 1),
        (short.model_copy(update={"distillation": DistillConfig(metric=1.0)}), version, 1),
        # Another teacher has another student.
        (short.model_copy(update={"teacher": short.trainings["teacher"].model_copy(update={"seed": 5})}), version, 2),
    )
    for recipe, photos, trained in changes:
        before = trials.models_in(tmp_path)
        learning.learn(recipe, photos, tmp_path)
        after = trials.models_in(tmp_path)
        assert before.items() <= after.items()
        assert len(after) == len(before) + trained


@pytest.mark.parametrize("part", ["teacher", "student"])
def test_an_interrupted_training_goes_on_from_its_checkpoint(
    learned: tuple[learning.Models, Path],
    version: DatasetVersion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
) -> None:
    save = Checkpoint.save

    def save_and_stop(self: Checkpoint, state: dict[str, Any]) -> None:
        save(self, state)
        if f"/{part}-" in self.url and state["step"] == HALF:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        learning.learn(RECIPE, version, tmp_path)
    assert logged(tmp_path, part) == [HALF]
    assert len(list(tmp_path.glob(f"{part}-*.checkpoint"))) == 1
    monkeypatch.undo()
    learning.learn(RECIPE, version, tmp_path)
    assert logged(tmp_path, part) == [HALF, STEPS, STEPS]
    for name in ("teacher", "student"):
        assert same(weights(tmp_path, name), weights(learned[1], name))


def test_a_model_is_kept_whole_or_not_at_all(
    version: DatasetVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def save_half(state: Any, place: Any) -> None:
        if "fingerprint" in state:  # a checkpoint
            save(state, place)
            return
        file = place.open("wb") if isinstance(place, Path) else place
        file.write(b"half")
        raise KeyboardInterrupt

    short = RECIPE.with_trainings(steps=1)
    monkeypatch.setattr(torch, "save", save_half)
    with pytest.raises(KeyboardInterrupt):
        learning.learn(short, version, tmp_path)
    assert not trials.models_in(tmp_path)
    monkeypatch.undo()
    learning.learn(short, version, tmp_path)
    assert len(trials.models_in(tmp_path)) == 2


def test_a_model_of_other_code_is_not_taken_for_this_one(
    version: DatasetVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = RECIPE.with_trainings(steps=1)
    learning.learn(short, version, tmp_path)
    monkeypatch.setattr(learning, "LEARNING", ("discern.progress",))
    learning.learn(short, version, tmp_path)
    assert len(trials.models_in(tmp_path)) == 4


def test_a_source_is_read_as_it_was_changed(tmp_path: Path) -> None:
    pills = PillsConfig(families=6, photos_per_class=4, size=32, heldout_families=4, shots=1)
    recipe = RECIPE.model_copy(update={"source": pills})
    assert len(learning.read_version(recipe, tmp_path)) == 6 * 4
    changed = learning.read_version(recipe, tmp_path, photos_per_class=3)
    assert len(changed) == 6 * 3
    assert learning.read_version(recipe, tmp_path, photos_per_class=3).id == changed.id


def test_open_set_figures() -> None:
    # Of 100 unknowns one may pass: the threshold lies above 0.2.
    unknowns = [0.75] + [0.2] * 99
    found = results([0, 0, 1, 1] + [-1] * 100, [0, 1, 1, 1] + [0] * 100, [0.9, 0.8, 0.7, 0.1, *unknowns])
    groups = [str(number) for number in range(104)]
    figures = learning.open_set_figures(found, groups)
    rates = cross_fitted_rates(replace(found, query_labels=tuple(groups)), 0.01)
    assert rates.tpir is not None
    assert rates.fpir is not None
    assert figures == pytest.approx(
        {
            "recall_at_1": 3 / 4,
            "auroc": (1 + 1 + 0.99 + 0) / 4,
            "tpir_at_fpir_1": rates.tpir.value,
            "fpir_at_1": rates.fpir.value,
            "tpir_at_fpir_1_by_score": 2 / 4,
        }
    )


def test_left_out_classes_count_for_the_rule_and_not_for_the_area() -> None:
    found = results([0, 0, 1, 1, -1, -1, -1, -1], [0, 0, 1, 1, 1, 1, 0, 0], [0.9, 0.9, 0.9, 0.9, 0.95, 0.95, 0.1, 0.1])
    found = replace(found, left_out=np.array([False] * 4 + [True] * 2 + [False] * 2), query_labels=tuple("aabbaacc"))
    figures = learning.open_set_figures(found)
    assert figures["auroc"] == 1.0
    assert figures["tpir_at_fpir_1"] < 1.0


BY_RULE = ("tpir_at_fpir_1", "fpir_at_1", "tpir_at_fpir_1_by_score")


@pytest.mark.parametrize(
    ("truth", "missing"),
    [
        ([0, 1, *[-1] * 99], {"tpir_at_fpir_1_by_score"}),  # too few to resolve one in a hundred
        ([0, 1], {"auroc", *BY_RULE}),
        ([-1] * 100, {"recall_at_1", "auroc", *BY_RULE}),
    ],
)
def test_a_figure_that_cannot_be_computed_is_not_a_number(truth: list[int], missing: set[str]) -> None:
    groups = [str(number) for number in range(len(truth))]
    figures = learning.open_set_figures(results(truth, [0] * len(truth), [0.5] * len(truth)), groups)
    assert {name for name, value in figures.items() if np.isnan(value)} == missing


def test_spread() -> None:
    assert learning.sample_std([1.0, 2.0, 3.0]) == 1.0
    assert learning.sample_std([2.0, 2.0]) == 0.0
    assert np.isnan(learning.sample_std([2.0]))


def started(work: Path, *arguments: str) -> Run:
    parser = learning.LearningParser("distillation", "x", use_cases=("pills",), seeds=True, development="other pills")
    return parser.start(["--work", str(work), *arguments])


def test_figures_are_kept_rounded_and_what_is_no_number_is_null(tmp_path: Path) -> None:
    figures = {"a": 1 / 3, "b": np.nan, "c": np.inf, "d": None, "e": 20_000_001, "f": 0.5, "a_spread": np.nan}
    learning.keep(started(tmp_path, "--steps", "2"), figures)
    text = (tmp_path / "distillation-steps-2.json").read_text()
    assert json.loads(text)["figures"] == {"a": 0.33333, "b": None, "c": None, "d": None, "e": 20_000_001, "f": 0.5}
    assert "NaN" not in text


def test_figures_tell_how_many_trainings_and_what_they_computed_with(tmp_path: Path) -> None:
    learning.keep(started(tmp_path, "--development", "--seeds", "2"), {"a": 1}, RECIPE)
    content = json.loads((tmp_path / "distillation-development.json").read_text())
    assert content["command"] == "python -m benchmarks.distillation --development --seeds 2"
    assert content["precision"] == "float32"


def test_trainings_of_two_precisions_tell_both() -> None:
    both = [RECIPE.student.model_copy(update={"mixed_precision": short}) for short in ("bf16", "no", "bf16")]
    assert learning.precision_of(*both) == "bf16, float32"


def test_a_model_of_another_precision_is_not_taken_for_this_one(
    version: DatasetVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = RECIPE.with_trainings(steps=1, mixed_precision="auto")
    for number in ("no", "bf16"):
        monkeypatch.setattr(learning, "mixed_precision", lambda _, number=number: number)
        learning.learn(short, version, tmp_path)
    assert len(trials.models_in(tmp_path)) == 4


def test_options_unless_told_otherwise(tmp_path: Path) -> None:
    assert vars(started(tmp_path).options) == {"work": tmp_path, "seeds": 1, "steps": None, "development": False}


@pytest.mark.long
@pytest.mark.parametrize("use_case", USE_CASES)
def test_the_recipes_train_as_they_are(use_case: str, tmp_path: Path) -> None:
    environment = {
        "OMNIGLOT": str(trials.small_omniglot(tmp_path)),
        "GROCERY_PHOTOS": str(trials.small_grocery(tmp_path, classes=62, test=1)),
    }
    recipe = learning.read_recipe(use_case, environment).with_trainings(steps=1)
    few = {"families": 16, "heldout_families": 4, "unknowns": 1} if use_case == "pills_lookalike" else {}
    version = learning.read_version(recipe, tmp_path, **few)
    models = learning.learn(recipe, version, tmp_path / "models")
    assert models.teacher is None or models.macs_ratio >= 6
