"""The command line of a device: `discern-edge pull|serve|identify|status`.

Exit status: 0 where it did what was asked, an unknown photo included; 1 for an error, stated in one sentence; 2 for a
wrong call.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from edge_runtime.core.identify import Answer, Identifier, split_candidates
from edge_runtime.core.images import ImageLimits
from edge_runtime.core.manifest import DecisionEntry
from edge_runtime.core.photo_limits import PhotoLimits
from edge_runtime.device.home import Home
from edge_runtime.device.repository_address import resolved
from edge_runtime.errors import EdgeError, ImageError, SettingsError
from edge_runtime.files import write_atomically
from edge_runtime.service.settings import Secret, ServiceSettings, check_binding

DEFAULT_HOME = Path("~/.local/share/discern-edge")
MAX_CONNECTIONS = 64
CUT_SHORT = 141  # what a shell says of a program that wrote into a closed pipe
LOG_LEVEL = "info"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except EdgeError as error:
        _write_error(error)
        return 1
    except BrokenPipeError:  # as of `| head`: whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        return CUT_SHORT
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="discern-edge", description="Identify things on this device, with no network needed, and keep up to date."
    )
    home = os.environ.get("DISCERN_EDGE_HOME") or str(DEFAULT_HOME)
    parser.add_argument("--home", default=home, help="the device's own folder (DISCERN_EDGE_HOME) [%(default)s]")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_pull(commands)
    _add_serve(commands)
    _add_identify(commands)
    _add_command(commands, "status", _status, "show which release is installed, and whether it is whole")
    return parser


def _add_command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> Any:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    # After the command too; without a default, so that it does not hide the one given before.
    parser.add_argument("--home", default=argparse.SUPPRESS, help="the device's own folder")
    parser.set_defaults(run=run)
    return parser


def _add_pull(commands: Any) -> None:
    parser = _add_command(commands, "pull", _pull, "fetch, check and switch to the release that a channel names")
    parser.add_argument("repository", nargs="?", help="folder, http(s):// or s3:// address; the last one if left out")
    parser.add_argument("--root", type=Path, help="the repository's root.json; needed the first time")
    parser.add_argument("--channel", help="line of releases to follow [the last one, or production]")
    parser.add_argument("--retry", action="store_true", help="try a release again that was refused before")


def _add_serve(commands: Any) -> None:
    parser = _add_command(commands, "serve", _serve, "answer over HTTP")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on [%(default)s]")
    parser.add_argument("--port", type=_port, default=8000, help="[%(default)s]")
    parser.add_argument("--token-file", type=Path, help="file with the token; or set DISCERN_EDGE_TOKEN")


def _add_identify(commands: Any) -> None:
    parser = _add_command(commands, "identify", _identify, "say what is on photos")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    parser.add_argument("--candidates", action="append", help="labels with commas between them; may be repeated")
    parser.add_argument("--json", action="store_true", help="one JSON object a photo, one a line")


def _pull(options: argparse.Namespace) -> int:
    from edge_runtime.device.updates import pull

    home = _home(options)
    repository, channel = _source(home, options.repository, options.channel)
    with _progress() as progress:
        result = pull(repository, home.path, channel, options.root, progress, retry=options.retry)
    _remember_source(home, repository, channel)
    if result.changed:
        _write_line(
            f"release {result.release} answers now ({result.downloaded:,} bytes fetched, {result.reused:,} here)"
        )
    else:
        _write_line(f"release {result.release} is up to date")
    return 0


def _serve(options: argparse.Namespace) -> int:
    token = _token(options.token_file)
    check_binding(options.host, token)
    import uvicorn

    from edge_runtime.service.api import create_app

    app = create_app(_home(options), ServiceSettings(token=token))
    config = uvicorn.Config(app, log_level=LOG_LEVEL, limit_concurrency=MAX_CONNECTIONS, server_header=False)
    with _listen(options.host, options.port) as listener:
        host, port = listener.getsockname()[:2]
        _write_line(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}")
        uvicorn.Server(config).run(sockets=[listener])
    return 0


def _identify(options: argparse.Namespace) -> int:
    limits = ImageLimits()
    identifier = Identifier(_home(options).open_current(), limits=limits)
    candidates = split_candidates(options.candidates, identifier.class_ids)
    answers: list[tuple[Path, Answer]] = []
    failed = False
    for photo in options.photos:
        try:
            answer = identifier.identify(_read_photo(photo, limits), candidates, str(photo))
        except ImageError as error:
            failed = True
            _write_error(error)
            continue
        answers.append((photo, answer))
        if options.json:
            sys.stdout.write(json.dumps({"photo": str(photo), **answer.as_dict()}, ensure_ascii=False) + "\n")
    if answers and not options.json:
        Console().print(_table(answers))
    return 1 if failed else 0


def _status(options: argparse.Namespace) -> int:
    home = _home(options)
    release = home.open_current()
    current = home.read_current()
    table = Table(show_header=False, box=None)
    manifest = release.manifest
    table.add_row("release", Text(f"{release.id} ({manifest.name}, built {release.created:%Y-%m-%d %H:%M} UTC)"))
    table.add_row("classes", f"{manifest.counts.classes:,}, from {manifest.counts.gallery:,} gallery photos")
    table.add_row("rule", _rule(manifest.decision))
    if release.photo_limits is not None:
        table.add_row("photos", _limits(release.photo_limits))
    table.add_row("previous", (current and current.previous) or "none")
    for name, reason in home.bad().items():
        table.add_row("refused", Text(f"{name}: {reason}"))
    table.add_row("files", "all whole")
    Console().print(table)
    return 0


def _home(options: argparse.Namespace) -> Home:
    return Home(resolved(options.home))


def _source(home: Home, repository: str | None, channel: str | None) -> tuple[str, str]:
    """Return the repository and the channel to pull; the last ones where the command leaves them out."""
    last_repository, last_channel = _last_source(home)
    if not (repository or last_repository):
        raise SettingsError(f"{home.path} was never pulled to: name the repository, `discern-edge pull REPOSITORY`.")
    return repository or last_repository, channel or last_channel


def _last_source(home: Home) -> tuple[str, str]:
    try:
        last = json.loads((home.path / "source.json").read_bytes())
        return str(last["repository"]), str(last["channel"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", "production"


def _remember_source(home: Home, repository: str, channel: str) -> None:
    address = repository if "://" in repository else str(resolved(repository))
    source = json.dumps({"repository": address, "channel": channel}).encode()
    write_atomically(home.path / "source.json", source, mode=0o600)  # the address may be signed by its query


def _token(file: Path | None) -> Secret | None:
    if file is None:
        value = os.environ.get("DISCERN_EDGE_TOKEN", "")
        return Secret(value) if value else None
    try:
        return Secret(file.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--token-file {file} cannot be read ({error}): name a text file.") from None


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(f"{host} port {port} cannot be listened on ({error}): choose another --port.") from None


def _read_photo(path: Path, limits: ImageLimits) -> bytes:
    try:
        if path.stat().st_size > limits.max_bytes:
            raise ImageError(f"{path} is larger than {limits.max_bytes:,} bytes: save it smaller.")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}): name a photo.") from None


def _table(answers: list[tuple[Path, Answer]]) -> Table:
    table = Table("photo", "answer", "score", "margin", "probability", "why")
    for photo, answer in answers:
        words = Text(answer.outcome.replace("_", " "), "italic") if answer.label is None else Text(answer.label, "bold")
        numbers = (f"{answer.score:.3f}", f"{answer.margin:.3f}", _percent(answer.probability))
        # As Text: a label or a file's name may hold what rich takes for markup.
        table.add_row(Text(photo.name), words, *numbers, Text(answer.explanation))
    return table


def _rule(rule: DecisionEntry) -> str:
    bound = f", probability >= {rule.least_probability:g}" if rule.least_probability else ""
    return f"score >= {rule.threshold:.3f}, margin >= {rule.margin:.3f}{bound}, for FPIR {rule.fpir:g}"


def _limits(limits: PhotoLimits) -> str:
    stated = {
        "shorter side >= {} pixels": limits.least_side,
        "mean brightness >= {:.3g} %": limits.least_brightness and 100 * limits.least_brightness,
        "white <= {:.3g} %": limits.most_white and 100 * limits.most_white,
        "sharpness >= {:.3g}": limits.least_sharpness,
    }
    return ", ".join(words.format(limit) for words, limit in stated.items() if limit is not None) or "without limits"


def _percent(probability: float | None) -> str:
    """Return a probability as people read it: no calibrator knows the last half of a percent."""
    if probability is None:
        return "-"
    if probability >= 0.995:
        return "over 99 %"
    if probability <= 0.005:
        return "under 1 %"
    return f"{100 * probability:.0f} %"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _write_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _write_error(error: EdgeError) -> None:
    sys.stderr.write(f"discern-edge: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
