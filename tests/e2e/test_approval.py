"""A person approves, rolls back and rejects: no later run undoes it, and ZenML and MLflow follow. In this order."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from discern.errors import PublicationError
from discern.publication.channels import Channels
from discern.publication.repository import ReleaseRepository
from tests.e2e.conftest import Workplace

pytestmark = pytest.mark.long

USE_CASE = "approved"
CHANNELS = Channels(production=f"{USE_CASE}-production", staging=f"{USE_CASE}-staging")
WHO = ("--by", "Ada", "--why", "tried on a device")


@pytest.fixture(scope="module")
def workplace(zenml_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A use case with channels of its own, and a dataset version."""
    folder = tmp_path_factory.mktemp("configs") / USE_CASE
    folder.mkdir()
    made = Workplace(zenml_home, folder)
    made.run("data")
    return made


@pytest.fixture(scope="module")
def repository(workplace: Workplace) -> ReleaseRepository:
    return ReleaseRepository(str(workplace.home / "releases"), workplace.home / "keys")


def train(workplace: Workplace, fpir: float) -> str:
    """Train a candidate, of which all but the rule comes from the cache; returns its id."""
    workplace.run("training", packaging={"fpir": fpir, "golden_images": 3})
    return str(workplace.output("training", "release_candidate").id)


def promote(workplace: Workplace) -> tuple[str | None, str]:
    """Run the promotion; returns the channel that the candidate is on, and why."""
    workplace.run("promotion", approval="manual", channels=CHANNELS.model_dump())
    publication = workplace.output("promotion", "publication")
    return publication.channel, publication.reason


def decide(*command: str) -> None:
    from cli.main import main

    assert main(["release", *command, *WHO]) == 0


def stands(repository: ReleaseRepository, production: str | None, staging: str | None) -> None:
    """Channels, ZenML and MLflow say this and nothing else."""
    from orchestration.mirrors import Standing, agree, mirrors, standing

    expected = Standing(production, staging)
    assert standing(repository, USE_CASE, CHANNELS) == expected
    for mirror in mirrors(repository, USE_CASE):
        assert mirror.read() == expected, mirror.kind
    assert agree(repository, USE_CASE, repair=False).differences == (), "the newest run knows the channels"


def test_a_person_has_the_last_word(
    workplace: Workplace, repository: ReleaseRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    from cli.main import main

    bad = train(workplace, 0.15)
    assert promote(workplace)[0] == CHANNELS.staging
    assert main(["promote", "-c", str(workplace.folder / "promotion.yaml")]) == 0
    told = capsys.readouterr().out
    assert f"Release {bad} waits on channel {CHANNELS.staging}: " in told
    assert f"discern release approve {bad} --channel {CHANNELS.production} --by NAME --why REASON" in told
    of_channel = [record.action for record in repository.history().records if record.channel == CHANNELS.staging]
    assert of_channel == ["stage"], "it waits once"
    stands(repository, None, bad)

    decide("reject", bad)
    stands(repository, None, None)
    channel, reason = promote(workplace)
    assert (channel, "rejected by Ada" in reason, "tried on a device" in reason) == (None, True, True)
    stands(repository, None, None)


def test_a_release_goes_live_over_what_it_was_judged_against(
    workplace: Workplace, repository: ReleaseRepository
) -> None:
    old = train(workplace, 0.2)
    assert promote(workplace)[0] == CHANNELS.staging
    new = train(workplace, 0.3)
    assert promote(workplace)[0] == CHANNELS.staging
    stands(repository, None, new)
    decide("approve", old, "--channel", CHANNELS.production)
    stands(repository, old, new)
    with pytest.raises(PublicationError, match=f"{new} was judged against none, and channel .* names {old} by now"):
        repository.approve(new, "Ada", "tried on a device")
    decide("approve", new, "--channel", CHANNELS.production, "--anyway")
    stands(repository, new, None)

    decide("rollback", old, "--channel", CHANNELS.production)
    stands(repository, old, None)
    channel, reason = promote(workplace)
    assert (channel, "rolled back by Ada" in reason) == (None, True)
    stands(repository, old, None)


def test_an_altered_candidate_is_refused_and_built_anew(workplace: Workplace, repository: ReleaseRepository) -> None:
    from orchestration.artifact_lookup import newest_output
    from pipelines.training import training_pipeline

    before = repository.history()
    stored = newest_output("training_pipeline", "release_candidate", USE_CASE)
    model = Path(stored.uri) / "model.onnx"
    data = model.read_bytes()
    model.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(
        PublicationError, match=r"model\.onnx was altered .*`steps: \{assemble: \{enable_cache: false\}\}`"
    ):
        promote(workplace)
    assert repository.history() == before
    config = workplace.folder / "training.yaml"
    anew = {**yaml.safe_load(config.read_text()), "steps": {"assemble": {"enable_cache": False}}}
    config.write_text(yaml.safe_dump(anew))
    training_pipeline.with_options(config_path=str(config))()
    assert workplace.output("training", "release_candidate").manifest.name == USE_CASE
