"""Configs of one source and of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from discern.errors import ConfigError
from discern.sources.base import Provenance, ServiceKey
from discern.sources.folder import FolderConfig, FolderSource
from discern.sources.labelbox import LabelboxConfig
from discern.sources.pills import PillsConfig
from discern.sources.registry import (
    AnySourceConfig,
    NamedSource,
    NamedSources,
    SourcesConfig,
    WithEnrolments,
    describe_sources,
    is_several,
    needed_keys,
    one_config,
    open_source,
    read_source_config,
    with_enrolments,
)
from discern.sources.union import UnionSource
from tests.discern.pictures import fill
from tests.discern.sources.enrolled.ledgers import Enrolments

FOLDER = FolderConfig(path="/photos")
LABELBOX = LabelboxConfig(project="p1")


def named(name: str, source: Any, **provenance: Any) -> NamedSource:
    return NamedSource(name=name, source=source, **provenance)


def test_a_version_has_one_source_or_several() -> None:
    assert one_config(FOLDER, None) == FOLDER
    several = [named("a", FOLDER), named("b", LABELBOX)]
    assert one_config(None, several) == SourcesConfig(sources=tuple(several))
    for source, sources in ((None, None), (FOLDER, several)):
        with pytest.raises(ConfigError, match=r"a version is made of `source`, .* write one of the two") as caught:
            one_config(source, sources)
        assert "\n" not in str(caught.value)


def test_names_of_sources_differ_and_fit_before_a_slash() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(NamedSources)
    source = {"kind": "folder", "path": "/photos"}
    with pytest.raises(ValidationError, match="two sources have the name a: give each its own"):
        adapter.validate_python([{"name": "a", "source": source}, {"name": "a", "source": source}])
    for name in ("", "a/b", "..", "a b"):
        with pytest.raises(ValidationError, match="name"):
            adapter.validate_python([{"name": name, "source": source}])
    with pytest.raises(ValidationError, match="label_method"):
        adapter.validate_python([{"name": "a", "source": source, "label_method": "guess"}])
    with pytest.raises(ValidationError, match="at least 1"):
        adapter.validate_python([])


TWO = SourcesConfig(
    sources=(named("a", FOLDER, labelled_by="ann"), named("b", PillsConfig(families=8, photos_per_class=3)))
)


@pytest.mark.parametrize(
    "config",
    [FOLDER, TWO, WithEnrolments(own=FOLDER, enrolments="/e"), WithEnrolments(own=TWO, enrolments="s3://b/e")],
)
def test_a_config_comes_back_from_its_values(config: AnySourceConfig) -> None:
    values = config.model_dump(mode="json")
    assert read_source_config(values) == config
    assert is_several(values) == (TWO in (config, getattr(config, "own", None)))


def test_a_source_says_which_key_it_needs() -> None:
    key = ServiceKey("labelbox", "LABELBOX_API_KEY")
    assert needed_keys(FOLDER) == []
    assert needed_keys(LABELBOX) == [key]
    several = SourcesConfig(sources=(named("a", LABELBOX), named("b", FOLDER), named("c", LABELBOX)))
    assert needed_keys(several) == [key]
    assert needed_keys(WithEnrolments(own=several, enrolments="/e")) == [key]


def test_several_sources_open_as_their_union(tmp_path: Path) -> None:
    folder = FolderConfig(path=str(fill(tmp_path / "photos", 2, 2)))
    config = SourcesConfig(sources=(named("a", folder), named("b", folder, labelled_by="ann", confidence=0.5)))
    source = open_source(config)
    assert isinstance(source, UnionSource)
    found = list(source.photos())
    assert [photo.name for photo in found][::4] == ["a/c00/0.jpg", "b/c00/0.jpg"]
    assert found[-1].provenance == Provenance(labelled_by="ann", confidence=0.5)
    single = open_source(folder)
    assert isinstance(single, FolderSource)
    assert not single.is_live


def test_what_was_enrolled_joins_a_source_once_something_is_live(tmp_path: Path) -> None:
    folder = FolderConfig(path=str(fill(tmp_path / "photos", 2, 2)))
    enrolments = Enrolments(tmp_path / "ledger")
    enrolments.add([("nut", b"a")], is_published=False)
    assert with_enrolments(folder, enrolments.ledger.url) is folder
    enrolments.add([("nut", b"b")])
    config = with_enrolments(folder, enrolments.ledger.url)
    assert config == WithEnrolments(own=folder, enrolments=enrolments.ledger.url)
    assert describe_sources(config) == [
        f"folder {folder.path}",
        f"enrolled without training: {enrolments.ledger.url}",
    ]
    source = open_source(config)
    assert (source.name, source.has_full_names, len(source)) == ("photos", False, 5)
    assert list(source.photos())[-1].load() == b"b"
