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


def test_the_doctor_of_an_unknown_stack_is_one_sentence(call: Caller) -> None:
    sentence = call.refused("stack", "doctor", "cloud")
    assert sentence == "There is no stack 'cloud': choose one of local, local-s3."


@pytest.mark.slow
def test_the_doctor_ends_with_1_where_there_is_a_fault(call: Caller) -> None:
    """The variable of the bucket is not set."""
    ended = call("stack", "doctor", "local-s3")
    assert ended.status == 1
    assert "  fault    variables  DISCERN_BUCKET not set" in ended.out
    assert ended.err == "The stack 'local-s3' has 1 fault: mend what is told above.\n"
    result = call("stack", "doctor", "local-s3", "--json").result
    assert (result["stack"], result["faults"]) == ("local-s3", 1)
    assert result["findings"][-1]["check"] == "variables"
