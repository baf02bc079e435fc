"""ZenML's stages and MLflow's aliases repeat what the channels of a use case say.

Rules kept:
- the channels are the truth: a mirror is read to be compared, and never decides anything;
- a mirror that cannot be reached is told, and stops nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from sqlalchemy.exc import SQLAlchemyError
from zenml.client import Client
from zenml.enums import ModelStages
from zenml.exceptions import EntityExistsError, IllegalOperationError

from discern.errors import first_line
from discern.publication.channels import Channels
from discern.publication.repository import ReleaseRepository
from edge_runtime.core.release import ReleaseManifest
from edge_runtime.errors import UserError
from orchestration.artifact_lookup import runs
from orchestration.enrolment_ledger import settle

Role = Literal["production", "staging"]
ROLES: tuple[Role, ...] = ("production", "staging")
PUBLISHERS = ("promotion_pipeline", "enrolment_pipeline")  # whose runs know the channels of a use case

# What ZenML and its database raise where they cannot be asked.
ZENML_ERRORS = (IllegalOperationError, SQLAlchemyError, RuntimeError, KeyError, ValueError, OSError)


@dataclass(frozen=True)
class Standing:
    """The releases of a use case that somebody uses; None where there is none.

    Attributes:
        production: the release that devices take.
        staging: another one, which waits for a person.
    """

    production: str | None = None
    staging: str | None = None

    def of(self, role: Role) -> str | None:
        """Return the release in a role."""
        return self.production if role == "production" else self.staging


@dataclass(frozen=True)
class Difference:
    """What a mirror says otherwise than the channels.

    Attributes:
        mirror: ZenML or MLflow.
        name: the mirror's word for the role: a stage or an alias.
        role: production or staging.
        stated: the release that the mirror names.
        right: the release that the channel names.
    """

    mirror: str
    name: str
    role: Role
    stated: str | None
    right: str | None

    def __str__(self) -> str:
        return (
            f"{self.mirror}: {self.name} is {self.stated or 'no release'}, and the channel of {self.role} names "
            f"{self.right or 'none'}"
        )


class Mirror(Protocol):
    """Something beside the channels that names the releases in use."""

    @property
    def kind(self) -> str:
        """Its name, for people."""

    @property
    def names(self) -> Mapping[Role, str]:
        """Its words for the roles."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """Its exceptions where it cannot be reached."""

    def read(self) -> Standing:
        """Return what it says."""

    def set(self, role: Role, release: str) -> None:
        """Let it name a release, which it need not know yet, in a role."""

    def clear(self, role: Role, release: str) -> None:
        """Let it name no release in a role in which it names one."""


@dataclass(frozen=True)
class Agreement:
    """The result of a comparison of channels and mirrors.

    Attributes:
        standing: what the channels say.
        differences: what the mirrors said otherwise.
        problems: a sentence for each mirror that could not be read or set.
    """

    standing: Standing
    differences: tuple[Difference, ...] = ()
    problems: tuple[str, ...] = ()


def standing(repository: ReleaseRepository, use_case: str, channels: Channels) -> Standing:
    """Return what the channels say; a release of another use case is none of this one's.

    Raises:
        PublicationError: the repository cannot be read, or is not what its keys signed.
    """
    production = _named(repository, channels.production, use_case)
    staging = _named(repository, channels.staging, use_case)
    return Standing(production, None if staging == production else staging)


def differences(mirror: Mirror, stated: Standing, right: Standing) -> list[Difference]:
    """Return where a mirror differs from the channels; what has to be cleared comes first.

    A release that goes from one role to the other would otherwise be cleared out of its new one.
    """
    found = [
        Difference(mirror.kind, mirror.names[role], role, stated.of(role), right.of(role))
        for role in ROLES
        if stated.of(role) != right.of(role)
    ]
    return sorted(found, key=lambda difference: difference.right is not None)


def agree(
    repository: ReleaseRepository, use_case: str, channels: Channels | None = None, *, repair: bool = True
) -> Agreement:
    """Compare the mirrors of the active stack with the channels of a use case, and mend them.

    Args:
        repository: of the active stack.
        use_case: whose releases are compared.
        channels: of the use case; those of its newest run without it.
        repair: False only compares.

    Raises:
        PublicationError: the repository cannot be read, or is not what its keys signed.
    """
    right = standing(repository, use_case, channels or channels_of(use_case))
    found: list[Difference] = []
    problems: list[str] = []
    for mirror in mirrors(repository, use_case):
        problem = _compare(mirror, right, found, repair=repair)
        if problem:
            problems.append(f"{problem}: run `discern release check {use_case}` once it is well.")
    if repair:
        settle(repository, use_case, right.production)
    return Agreement(right, tuple(found), tuple(problems))


def follow(repository: ReleaseRepository, use_case: str, channels: Channels | None = None) -> list[str]:
    """Let the mirrors say what the channels say after a change of these; returns what went wrong, in sentences."""
    try:
        return list(agree(repository, use_case, channels).problems)
    except (UserError, *ZENML_ERRORS) as error:
        return [
            f"ZenML and MLflow were not told which release of {use_case} is in use ({first_line(error)}): run "
            f"`discern release check {use_case}`."
        ]


def channels_of(use_case: str) -> Channels:
    """Return the channels that the newest run of a use case published to; the usual ones where there was none."""
    newest = [run for pipeline in PUBLISHERS if (run := next(runs(pipeline, use_case, status=None), None))]
    if not newest:
        return Channels()
    run = max(newest, key=lambda run: run.created)
    return Channels.model_validate((run.config.parameters or {}).get("channels") or {})


def mirrors(repository: ReleaseRepository, use_case: str) -> Sequence[Mirror]:
    """Return the mirrors that the active stack has."""
    stages = ZenMLStages(use_case)
    tracker = Client().active_stack.experiment_tracker
    if tracker is None or tracker.flavor != "mlflow":
        return [stages]
    from orchestration.mlflow_registry import MLflowAliases

    def describe(release: str) -> tuple[ReleaseManifest, str]:
        return repository.manifest(release), f"{repository.url}/targets/releases/{release}"

    return [stages, MLflowAliases(use_case, tracker, describe)]


@dataclass(frozen=True)
class ZenMLStages:
    """The stages of a model in ZenML's Model Control Plane; a version is named after its release.

    Args:
        use_case: the model's name.
    """

    use_case: str
    kind: ClassVar[str] = "ZenML"
    names: ClassVar[Mapping[Role, str]] = {"production": "the stage production", "staging": "the stage staging"}
    errors: ClassVar[tuple[type[Exception], ...]] = ZENML_ERRORS

    def read(self) -> Standing:
        """Return the versions in the two stages."""
        return Standing(**{role: self._in(ModelStages(role)) for role in ROLES})

    def set(self, role: Role, release: str) -> None:
        """Put a release into a stage; ZenML archives the version that was in it."""
        enter_release(self.use_case, release)
        Client().update_model_version(self.use_case, release, stage=ModelStages(role), force=True)

    def clear(self, role: Role, release: str) -> None:  # noqa: ARG002
        """Archive the version that is in a stage."""
        Client().update_model_version(self.use_case, release, stage=ModelStages.ARCHIVED, force=True)

    def _in(self, stage: ModelStages) -> str | None:
        try:
            found = Client().list_model_versions(model=self.use_case, stage=stage).items
        except KeyError:  # no such model
            return None
        return found[0].name if found else None


def enter_release(use_case: str, release: str, description: str | None = None) -> None:
    """Make a version of the use case's model for a release, and the model; what exists is kept."""
    client = Client()
    with suppress(EntityExistsError):
        client.create_model(name=use_case, save_models_to_registry=False)
    with suppress(EntityExistsError):
        client.create_model_version(use_case, name=release, description=description)


def _compare(mirror: Mirror, right: Standing, found: list[Difference], *, repair: bool) -> str | None:
    """Add to `found` what a mirror says otherwise than the channels, and mend it; returns what stopped it, if any."""
    try:
        differing = differences(mirror, mirror.read(), right)
        found += differing
        for difference in differing if repair else ():
            _mend(mirror, difference)
    except mirror.errors as error:
        return f"{mirror.kind} could not be compared with the channels ({first_line(error)})"
    return None


def _mend(mirror: Mirror, difference: Difference) -> None:
    if difference.right is not None:
        mirror.set(difference.role, difference.right)
    elif difference.stated is not None:
        mirror.clear(difference.role, difference.stated)


def _named(repository: ReleaseRepository, channel: str, use_case: str) -> str | None:
    release = repository.current(channel)
    return release if release and repository.manifest(release).name == use_case else None
