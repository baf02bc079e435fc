"""`discern mlflow` and `discern dashboard`: the pages of MLflow and of ZenML, on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from cli.console import example, home, tell
from discern.errors import ConfigError, DiscernError

if TYPE_CHECKING:
    from zenml.client import Client

LOOPBACK = "127.0.0.1"
MLFLOW_PORT, ZENML_PORT = 5000, 8237
SURVEY = "finished_onboarding_survey"
PORT = "Port on this machine that the page answers on."


@click.command(epilog=example("discern mlflow --port 5001"))
@click.option("--port", type=click.IntRange(1, 65535), default=MLFLOW_PORT, show_default=True, help=PORT)
def mlflow(port: int) -> None:
    """Show curves, figures and pictures of trainings.

    They come from the active stack's MLflow store: an experiment for each use case. Ctrl-C ends it.
    """
    address = tracking_address()
    if address.startswith("http"):
        tell(f"The stack's MLflow server shows them itself: open {address}.")
        return
    tell(f"Open http://{LOOPBACK}:{port} in some seconds, and choose 'Model training' at its top left; Ctrl-C ends it.")
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", address, "--host", LOOPBACK]
    # One person looks: more workers would each take seconds to start.
    _until_it_ends("MLflow", [*command, "--port", str(port), "--workers", "1"])


def tracking_address() -> str:
    """Return where the active stack's experiment tracker keeps its runs.

    Raises:
        ConfigError: the stack has none of MLflow's.
    """
    home()
    from zenml.client import Client

    tracker = Client().active_stack.experiment_tracker
    address = getattr(getattr(tracker, "config", None), "tracking_uri", None)
    if not address:
        name = Client().active_stack_model.name
        raise ConfigError(f"The stack {name!r} has no MLflow tracker with an address: run `discern stack apply local`.")
    return str(address)


@click.command(epilog=example("discern dashboard"))
@click.option("--port", type=click.IntRange(1, 65535), default=ZENML_PORT, show_default=True, help=PORT)
def dashboard(port: int) -> None:
    """Show ZenML's dashboard of runs and artifacts, until Ctrl-C.

    Its form that asks for a name and an address is answered beforehand: nobody is asked, and nothing is sent. The
    page itself loads some pictures from hosts outside.
    """
    home()
    from zenml.client import Client

    answer_form(Client())
    tell(f"Open http://{LOOPBACK}:{port}; the user is `default`, without a password; Ctrl-C ends it.")
    program = "from zenml.cli.cli import cli; cli()"  # as its script `zenml` does, which need not be on the path
    _until_it_ends("ZenML", [sys.executable, "-c", program, "login", "--local", "--blocking", "--port", str(port)])


def answer_form(client: Client) -> None:
    """Answer what ZenML's first page asks: its user wants no mail, and saw the survey; once more changes nothing."""
    user = client.active_user
    # The dashboard of 0.98 shows the survey until both are said.
    if user.email_opted_in is None or not user.user_metadata.get(SURVEY):
        client.update_user(user.name, updated_email_opt_in=False, updated_metadata={**user.user_metadata, SURVEY: True})


def _until_it_ends(name: str, command: list[str]) -> None:
    """Run a server in the foreground.

    Raises:
        DiscernError: it ended by itself with an error.
    """
    child = subprocess.run(command, check=False, env=dict(os.environ))
    if child.returncode > 0:
        raise DiscernError(f"{name} ended with status {child.returncode}: see what it wrote above.")
