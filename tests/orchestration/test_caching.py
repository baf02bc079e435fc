"""A cache key knows the library's files."""

from __future__ import annotations

import pytest

from orchestration.caching import REPOSITORY, code_hash, depends_on
from steps.data.ingest import ingest
from steps.promotion.judge import judge
from steps.training.candidate import assemble
from steps.training.models import distil, teach
from steps.training.pictures import depict


def test_every_file_of_a_folder_is_in_the_key() -> None:
    files = depends_on("discern/learning").file_dependencies
    assert files is not None
    assert {"discern/learning/training.py", "discern/learning/losses.py"} <= set(files)
    assert all((REPOSITORY / file).is_file() for file in files)


def test_the_hash_of_a_policys_code_is_that_of_its_files() -> None:
    one, other = "discern/learning/training.py", "discern/learning/losses.py"
    assert code_hash(depends_on(one, other)) == code_hash(depends_on(other, one))
    assert len({code_hash(depends_on(*places)) for places in ([one], [other], [one, other])}) == 3


@pytest.mark.parametrize("place", ["discern/nothing", "discern/nothing.py", "configs"])
def test_a_place_without_code_is_an_error(place: str) -> None:
    with pytest.raises(FileNotFoundError, match="holds no Python file"):
        depends_on(place)


@pytest.mark.parametrize(
    ("step", "file"),
    [
        (ingest, "discern/data/ingest.py"),
        (ingest, "edge_runtime/images.py"),
        (teach, "discern/learning/training.py"),
        (distil, "discern/learning/losses.py"),
        (assemble, "discern/evaluation/calibration.py"),
        (assemble, "discern/learning/quantise.py"),
        (assemble, "discern/releases/precision.py"),
        (assemble, "edge_runtime/identify.py"),
        (depict, "discern/evaluation/embedding_map.py"),
        (depict, "edge_runtime/index.py"),
        (judge, "discern/evaluation/comparison.py"),
    ],
)
def test_steps_depend_on_the_code_they_call(step: object, file: str) -> None:
    policy = step.configuration.cache_policy  # type: ignore[attr-defined]
    assert file in policy.file_dependencies
