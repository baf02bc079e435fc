"""The whole loop on a tiny use case, run once in this process; later tests look at what it left."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

CONFIGS = Path(__file__).parent / "configs" / "tiny"
PIPELINES = ("data", "training", "promotion")


@dataclass(frozen=True)
class Workplace:
    """A stack of its own, and ways to run pipelines on it; the name of the folder is the use case.

    Attributes:
        home: of the stack.
        folder: where configs are written that run.
        configs: what they come from.
    """

    home: Path
    folder: Path
    configs: Path = CONFIGS

    def run(self, name: str, **parameters: Any) -> None:
        """Run a pipeline of the use case; `parameters` replace those of its config."""
        from pipelines.data import data_pipeline
        from pipelines.promotion import promotion_pipeline
        from pipelines.training import training_pipeline

        pipeline = {"data": data_pipeline, "training": training_pipeline, "promotion": promotion_pipeline}[name]
        config = yaml.safe_load((self.configs / f"{name}.yaml").read_text())
        config["parameters"].update(parameters)
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        pipeline.with_options(config_path=str(path))()

    def output(self, pipeline: str, artifact: str) -> Any:
        """What the newest run of a pipeline gave out."""
        from orchestration.artifact_lookup import newest_output

        return newest_output(f"{pipeline}_pipeline", artifact, self.folder.name).load()

    def newest_run(self, pipeline: str) -> Any:
        """The newest run of a pipeline, completed or not."""
        from zenml.client import Client

        client = Client()
        page = client.list_pipeline_runs(
            pipeline=f"{pipeline}_pipeline", tags=self.folder.name, sort_by="desc:created", size=1
        )
        return client.get_pipeline_run(page.items[0].id)


@pytest.fixture(scope="session")
def zenml_home() -> Path:
    """ZenML's database with the local stack in it, and signing keys."""
    from cli.main import main
    from discern.publication.repository import ReleaseRepository

    home = Path(os.environ["DISCERN_HOME"])
    assert main(["stack", "apply", "local"]) == 0
    ReleaseRepository(str(home / "releases"), home / "keys").initialise()
    return home


@pytest.fixture(scope="session")
def loop(zenml_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The three pipelines have run once on the local stack."""
    folder = tmp_path_factory.mktemp("configs") / "tiny"
    shutil.copytree(CONFIGS, folder)
    workplace = Workplace(zenml_home, folder)
    for name in PIPELINES:
        workplace.run(name)
    return workplace
