"""The command that applies stacks; what it does is tested beside the stacks."""

from __future__ import annotations

import pytest

from tests.cli.calls import Caller


def test_an_unknown_stack_is_one_sentence(call: Caller) -> None:
    sentence = call.refused("stack", "apply", "cloud")
    assert sentence == "There is no stack 'cloud': choose one of local, local-s3."


def test_a_home_is_needed(call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISCERN_HOME")
    assert "source .envrc" in call.refused("stack", "apply")
