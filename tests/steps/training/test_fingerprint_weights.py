"""The files that training starts from are read in a step, so that a changed file trains anew."""

from __future__ import annotations

from pathlib import Path

from discern.learning.config import ModelConfig
from steps.training.fingerprint_weights import fingerprint_weights

PLAIN = ModelConfig(backbone="resnet10t")


def test_fingerprint_weights_changes_with_the_file_and_is_empty_without_one(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"one")
    model = ModelConfig(backbone="resnet10t", weights=str(weights))
    teacher, student = fingerprint_weights.entrypoint(model, PLAIN)
    assert teacher
    assert student == ""
    weights.write_bytes(b"two")
    changed, _ = fingerprint_weights.entrypoint(model, PLAIN)
    assert changed != teacher


def test_fingerprint_weights_does_not_read_the_file_of_a_teacher_that_is_not_trained() -> None:
    assert fingerprint_weights.entrypoint(None, PLAIN) == ("", "")


def test_fingerprint_weights_leaves_a_file_that_is_missing_to_the_check() -> None:
    missing = ModelConfig(backbone="resnet10t", weights="/nowhere/weights.pt")
    assert fingerprint_weights.entrypoint(PLAIN, missing) == ("", "unreadable")
