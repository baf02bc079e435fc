"""What ZenML and MLflow tell on the console, however a pipeline is started: nothing that nobody acts on.

What they tell elsewhere stays, and every warning but the two named here. In a log, which is no terminal, there are no
colours.
"""

from __future__ import annotations

import logging
import sys

from zenml.constants import ENV_ZENML_LOGGING_COLORS_DISABLED
from zenml.logger import ZenMLConsoleHandler
from zenml.utils.env_utils import temporary_environment

# Beginnings of messages, by logger.
IDLE: dict[str, tuple[str, ...]] = {
    # Who runs what on which parts of a stack, and where a dashboard could be had: `CheckedPipeline` needs one line.
    "zenml.pipelines.pipeline_definition": (
        "Initiating a new run",
        "Registered new pipeline",
        "Using user",
        "Using stack",
        "  ",
        "You can visualize",
    ),
    # At every step: the autologging of libraries that are not installed cannot be switched off.
    "zenml.integrations.mlflow.experiment_trackers.mlflow_experiment_tracker": (
        "Failed to disable MLflow autologging",
    ),
    # MLflow asks for the version of pip, which an environment that uv made does not hold.
    "mlflow.utils.environment": ("Failed to resolve installed pip version",),
    # For each channel whose int8 weights onnxruntime's quantiser had to scale.
    "root": ("Increased scale",),
}


def quieten() -> None:
    """Keep idle messages and colours out of this process's console; a second time changes nothing."""
    for name in IDLE:
        logging.getLogger(name).addFilter(_is_news)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    if not sys.stdout.isatty():
        _without_colours()


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(IDLE[record.name])


def _without_colours() -> None:
    with temporary_environment({ENV_ZENML_LOGGING_COLORS_DISABLED: "true"}):
        plain = ZenMLConsoleHandler().formatter
    for handler in logging.getLogger().handlers:
        if isinstance(handler, ZenMLConsoleHandler):
            handler.setFormatter(plain)
