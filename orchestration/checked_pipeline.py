"""`@checked_pipeline`: a ZenML pipeline that refuses a config it does not understand and fails with a sentence.

Rules kept:
- a config is checked against the run-config schema, the pipeline's parameters and its step names before a run, and
  before the steps are imported, which takes seconds;
- what a config does not say, its folder may: the use case, and where the training's config is;
- a run is tagged with its use case, by which later pipelines find it; a config may name further tags;
- a run is named `USE_CASE-PIPELINE-{date}-{time}`, and tracked in the experiment of its use case;
- the first failed step ends the run (ZenML's default would go on with sibling branches);
- a run starts only where its artifact store can be written;
- on the command line an error of ours or of a store is one sentence and exit status 1; in Python it is itself.
"""

from __future__ import annotations

import logging
import os
import pkgutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import click
from zenml.client import Client
from zenml.enums import ExecutionMode
from zenml.logger import get_logger
from zenml.pipelines.pipeline_definition import Pipeline

from orchestration import console, experiments, installed_packages
from orchestration.config_check import check_config, complete_config, read_config
from orchestration.store_errors import check_store, sentence

console.quieten()
installed_packages.tell_zenml()
logger = get_logger(__name__)

# Of ZenML's, by which it reports an error with its traceback; the last one where a run's logs cannot be stored.
REPORTING = (
    "zenml.orchestrators.local.local_orchestrator",
    "zenml.orchestrators.step_launcher",
    "zenml.log_stores.artifact.artifact_log_exporter",
)


class CheckedPipeline(Pipeline):
    """A pipeline whose config is checked and whose errors are sentences.

    Attributes:
        step_names: names of its steps, which a config may name.
        is_tracked: a step of it logs to the experiment tracker.
    """

    step_names: Sequence[str] = ()
    is_tracked: bool = False

    @property
    def use_case(self) -> str:
        """The use case of a pipeline with a config: the one that it states, else the name of its folder."""
        return str((self.configuration.parameters or {})["use_case"])

    def with_options(  # type: ignore[override]  # every one of ZenML's arguments is handed on
        self, *, config_path: str | None = None, **kwargs: Any
    ) -> CheckedPipeline:
        """As ZenML's, after the config was checked.

        Raises:
            ConfigError: the config names something unknown (`click.ClickException` on the command line).
        """
        if config_path is not None:
            with _SentencesOnTheCommandLine():
                path = Path(config_path)
                config = complete_config(read_config(path, os.environ), path, self.entrypoint)
                check_config(config, path, self.entrypoint, self.step_names)
                kwargs = self._options(config) | kwargs
        return cast(CheckedPipeline, super().with_options(config_path=config_path, **kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As ZenML's; an error of ours comes out as itself, or as one sentence on the command line."""
        with _SentencesOnTheCommandLine():
            self._tell_start()
            check_store()
            self._prepare_tracking()
            return super().__call__(*args, **kwargs)

    def _options(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return what follows from a config beyond what it says itself."""
        parameters = config.get("parameters") or {}
        # ZenML fills in variables only after the pipeline's body has run.
        options: dict[str, Any] = {"parameters": parameters, "tags": config.get("tags") or []}
        if (use_case := parameters.get("use_case")) is None:
            return options
        options["tags"] = _with(use_case, options["tags"])
        if "run_name" not in config:
            options["run_name"] = f"{use_case}-{self.name.removesuffix('_pipeline')}-{{date}}-{{time}}"
        if self.is_tracked:
            options["settings"] = experiments.tracker_settings(use_case, config.get("settings") or {})
        return options

    def _tell_start(self) -> None:
        use_case = (self.configuration.parameters or {}).get("use_case", "a use case")
        stack = Client().active_stack_model.name
        logger.info("Running `%s` of `%s` on the stack `%s`.", self.name, use_case, stack)

    def _prepare_tracking(self) -> None:
        """Make the experiment that a config names, if the stack's tracker does not do it by itself."""
        settings = self.configuration.settings.get(experiments.SETTINGS_KEY)
        tracker = Client().active_stack.experiment_tracker if settings else None
        uri = getattr(getattr(tracker, "config", None), "tracking_uri", None)
        if settings and uri:
            experiments.prepare_experiment(settings.model_dump()["experiment_name"], uri)


def checked_pipeline(
    steps: ModuleType, *, is_tracked: bool = False
) -> Callable[[Callable[..., None]], CheckedPipeline]:
    """Make a pipeline of a function; its name is the function's.

    Args:
        steps: the package of its steps: a module holds the step of its name. The function imports them itself.
        is_tracked: a step of it logs to the experiment tracker.
    """

    def decorate(function: Callable[..., None]) -> CheckedPipeline:
        made = CheckedPipeline(
            name=function.__name__,
            entrypoint=function,
            execution_mode=ExecutionMode.FAIL_FAST,
            # A machine's load is nobody's business here, and collecting it costs more than a short step.
            enable_heartbeat=False,
        )
        made.is_tracked = is_tracked
        made.step_names = tuple(module.name for module in pkgutil.iter_modules(steps.__path__))
        return made

    return decorate


def _with(use_case: str, tags: list[Any]) -> list[Any]:
    """Return the tags of a run, each once."""
    return tags if use_case in tags else [use_case, *tags]


class _SentencesOnTheCommandLine:
    """Within it, ZenML's own report of an error that has a sentence is kept quiet, and the error ends the command."""

    def __enter__(self) -> None:
        self._loggers = [logging.getLogger(name) for name in REPORTING]
        for logger in self._loggers:
            logger.addFilter(_has_no_sentence)

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        for logger in self._loggers:
            logger.removeFilter(_has_no_sentence)
        if error is not None and click.get_current_context(silent=True) is not None and (told := sentence(error)):
            raise click.ClickException(told) from None


def _has_no_sentence(record: logging.LogRecord) -> bool:
    errors = [record.exc_info[1]] if record.exc_info else []
    arguments = record.args if isinstance(record.args, tuple) else ()
    told = [part for part in (*errors, *arguments) if isinstance(part, BaseException)]
    return not any(sentence(error) for error in told)
