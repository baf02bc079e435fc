from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discern.environment import fill_in, needed
from discern.errors import ConfigError


def test_every_variable_is_replaced() -> None:
    text = "path: ${HOME_OF}/x\nagain: ${HOME_OF}${B2}\n"
    assert fill_in(text, {"HOME_OF": "/home", "B2": "!"}, "f.yaml") == "path: /home/x\nagain: /home!"


@given(st.text(st.characters(blacklist_characters="#$", blacklist_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_other_text_stays_as_it_is(text: str) -> None:
    assert fill_in(text, {"A": "x"}, "f.yaml") == text


@pytest.mark.parametrize("text", ["$HOME", "${}", "${a b}", "$ {A}", "{A}", "${A"])
def test_what_only_looks_like_a_variable_stays(text: str) -> None:
    assert fill_in(text, {"A": "x", "HOME": "/"}, "f.yaml") == text


def test_a_value_is_not_looked_into_again() -> None:
    assert fill_in("${A}", {"A": "${B}", "B": "b"}, "f.yaml") == "${B}"


def test_comment_lines_need_no_variables() -> None:
    assert fill_in("# set ${UNSET} first\n  # and ${OTHER}\nkey: ${A}", {"A": "1"}, "f.yaml") == "key: 1"


@pytest.mark.parametrize("environment", [{}, {"A": ""}])
def test_a_missing_or_empty_variable_is_named_with_its_file(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"stacks/s3.yaml needs A in the environment: .*`export A=\.\.\.` first"):
        fill_in("bucket: ${A}", environment, "stacks/s3.yaml")


def test_all_missing_variables_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match="needs A and B in the environment"):
        fill_in("${B} ${C} ${A}", {"C": "c"}, "f.yaml")


def test_the_variables_that_a_file_needs_are_told() -> None:
    assert needed("# ${NOT_THIS}\nb: ${B}/${A}\na: ${A}\n") == ["A", "B"]
