"""Where photos come from: one small config a kind of source, one config for several, and one way to open them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from discern.errors import ConfigError
from discern.sources.base import LabelMethod, Provenance, ServiceKey, Source
from discern.sources.coco.source import CocoConfig, CocoSource
from discern.sources.cvat.source import CvatConfig, CvatSource
from discern.sources.enrolled.joined import SourceWithEnrolments
from discern.sources.enrolled.ledger import Ledger
from discern.sources.enrolled.source import EnrolledSource
from discern.sources.folder import FolderConfig, FolderSource
from discern.sources.grocery import GroceryConfig, GrocerySource
from discern.sources.label_studio.source import LabelStudioConfig, LabelStudioSource
from discern.sources.labelbox import LabelboxConfig, LabelboxExportConfig, LabelboxExportSource, LabelboxSource
from discern.sources.omniglot import OmniglotConfig, OmniglotSource
from discern.sources.pills import PillsConfig, PillSource
from discern.sources.table.source import TableConfig, TableSource
from discern.sources.union import Member, UnionSource
from discern.sources.voc.source import VocConfig, VocSource
from discern.sources.yolo.source import YoloConfig, YoloSource

SourceConfig = Annotated[
    PillsConfig
    | FolderConfig
    | TableConfig
    | VocConfig
    | CocoConfig
    | YoloConfig
    | CvatConfig
    | LabelStudioConfig
    | LabelboxConfig
    | LabelboxExportConfig
    | GroceryConfig
    | OmniglotConfig,
    Field(discriminator="kind"),
]


class NamedSource(BaseModel):
    """One source of several, and the provenance of those of its photos that do not state it themselves.

    Args:
        name: stands before the names of its photos in the version, with a slash.
        source: its config.
        labelled_by: name or address of who labelled.
        label_method: by what means; see `discern.sources.base.LabelMethod`.
        confidence: how sure the labeller is, 0 to 1.
        device: name of the device that took the photos.
        release: id of the release that the device ran.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    source: SourceConfig
    labelled_by: str | None = Field(default=None, min_length=1)
    label_method: LabelMethod | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    device: str | None = Field(default=None, min_length=1)
    release: str | None = Field(default=None, min_length=1)

    @property
    def provenance(self) -> Provenance:
        """Its provenance."""
        return Provenance(
            labelled_by=self.labelled_by,
            label_method=self.label_method,
            confidence=self.confidence,
            device=self.device,
            release=self.release,
        )


def _check_names(sources: tuple[NamedSource, ...]) -> tuple[NamedSource, ...]:
    repeated = [name for name, count in Counter(source.name for source in sources).items() if count > 1]
    if repeated:
        raise ValueError(f"two sources have the name {repeated[0]}: give each its own")
    return sources


NamedSources = Annotated[tuple[NamedSource, ...], Field(min_length=1), AfterValidator(_check_names)]


class SourcesConfig(BaseModel):
    """Several named sources, which make one version together.

    Args:
        sources: the sources, in the order in which they are read; their names differ.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: NamedSources


class WithEnrolments(BaseModel):
    """The source of a use case, or several, and what was enrolled without training beside it.

    Args:
        own: the source, or the several.
        enrolments: address of the ledger, see `discern.sources.enrolled.ledger`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    own: SourceConfig | SourcesConfig
    enrolments: str = Field(min_length=1)


AnySourceConfig = SourceConfig | SourcesConfig | WithEnrolments


_SOURCES: dict[type[BaseModel], Callable[[Any], Source]] = {
    PillsConfig: PillSource,
    FolderConfig: FolderSource,
    TableConfig: TableSource,
    VocConfig: VocSource,
    CocoConfig: CocoSource,
    YoloConfig: YoloSource,
    CvatConfig: CvatSource,
    LabelStudioConfig: LabelStudioSource,
    LabelboxConfig: LabelboxSource,
    LabelboxExportConfig: LabelboxExportSource,
    GroceryConfig: GrocerySource,
    OmniglotConfig: OmniglotSource,
}


def one_config(source: SourceConfig | None, sources: Sequence[NamedSource] | None) -> SourceConfig | SourcesConfig:
    """Return the config of the one source, or of the several.

    Raises:
        ConfigError: there is neither, or there are both.
    """
    if source is not None and sources is None:
        return source
    if sources is not None and source is None:
        return SourcesConfig(sources=tuple(sources))
    raise ConfigError(
        "a version is made of `source`, one source, or of `sources`, several with a name each: write one of the two."
    )


def with_enrolments(config: SourceConfig | SourcesConfig, address: str) -> AnySourceConfig:
    """Return the config with the ledger at an address beside it; as it is where nothing was enrolled.

    Raises:
        DataError: the address cannot be read.
        OSError: it cannot be opened.
    """
    return WithEnrolments(own=config, enrolments=address) if Ledger(address).exists() else config


def is_several(values: Mapping[str, Any]) -> bool:
    """Return True if the values of a config, as `model_dump` writes them, are of several named sources."""
    return "sources" in values.get("own", values)


def read_source_config(values: Mapping[str, Any]) -> AnySourceConfig:
    """Read the config of one source or of several, with enrolments or without, as `model_dump` writes its values.

    Raises:
        pydantic.ValidationError: they do not fit.
    """
    if "enrolments" in values:
        return WithEnrolments.model_validate(values)
    if "sources" in values:
        return SourcesConfig.model_validate(values)
    config: SourceConfig = TypeAdapter(SourceConfig).validate_python(values)
    return config


def describe_sources(config: AnySourceConfig) -> list[str]:
    """Name the places that photos come from, a line each: the source's name among several, its kind, its path."""
    if isinstance(config, WithEnrolments):
        return [*describe_sources(config.own), f"enrolled without training: {config.enrolments}"]
    if isinstance(config, SourcesConfig):
        return [f"{named.name}: {_describe(named.source)}" for named in config.sources]
    return [_describe(config)]


def _describe(config: SourceConfig) -> str:
    place = getattr(config, "path", None) or getattr(config, "project", None)
    return config.kind if place is None else f"{config.kind} {place}"


def needed_keys(config: AnySourceConfig) -> list[ServiceKey]:
    """Return the keys that have to be in the environment before the source is opened, each once."""
    if isinstance(config, WithEnrolments):
        return needed_keys(config.own)
    configs = [member.source for member in config.sources] if isinstance(config, SourcesConfig) else [config]
    keys = (getattr(single, "service_key", None) for single in configs)
    return list(dict.fromkeys(key for key in keys if key is not None))


def open_source(config: AnySourceConfig) -> Source:
    """Open the source that a config describes, or the union of several, and what was enrolled beside it.

    Raises:
        ConfigError: a key is missing, or a setting does not fit the source.
        DataError: it is missing, or does not hold what its kind requires.
    """
    if isinstance(config, WithEnrolments):
        return SourceWithEnrolments(open_source(config.own), EnrolledSource(Ledger(config.enrolments)))
    if isinstance(config, SourcesConfig):
        members = [Member(named.name, open_source(named.source), named.provenance) for named in config.sources]
        return UnionSource(members)
    return _SOURCES[type(config)](config)
