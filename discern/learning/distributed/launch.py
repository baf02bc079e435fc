"""Start the processes of one training on this machine, so that a pipeline's step may use several GPUs.

`accelerate launch` would run the whole pipeline once a process. Here the step stays one process: it starts the others,
passes on what they log, and returns the result of the main process.
"""

from __future__ import annotations

import os
import queue
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing

from discern.errors import DiscernError, TrainingError
from discern.learning.config import LoopConfig
from discern.learning.device import check_processes
from discern.learning.ema import ModelT
from discern.learning.ports import Log
from discern.learning.trainer import TrainingResult

POLL = 0.2  # seconds between two checks that all live
GRACE = 10.0  # seconds in which the others may report why they end, after one has ended


def launch(
    training: Callable[..., TrainingResult[ModelT]], config: LoopConfig, *arguments: Any, log: Log | None, **named: Any
) -> TrainingResult[ModelT]:
    """Return the result of `training(*arguments, log=log, **named)`, run by `config.processes` processes as one.

    In a process that was itself started as one of several (`torchrun`), it trains in that process.

    Args:
        training: a function that the others can import by its name.
        config: of the training.
        arguments: of the training; they are pickled.
        log: called in this process.
        named: as `arguments`.

    Raises:
        TrainingError: there are fewer GPUs than processes, or a process was killed.
        DiscernError: the training raised it.
    """
    if config.processes == 1 or "RANK" in os.environ:
        return training(*arguments, log=log, **named)
    check_processes(config)
    context = torch.multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        messages = context.Queue()
        result = Path(folder) / "result"
        shared = (config.processes, _free_port(), messages, result, training, arguments, named)
        children = [
            context.Process(target=_train, args=(rank, *shared), daemon=True) for rank in range(config.processes)
        ]
        try:
            for child in children:
                child.start()
            _watch(children, messages, log)
        finally:
            _end(children)
        outcome: TrainingResult[ModelT] = torch.load(result, weights_only=False)  # written by the main process
    return outcome


def _train(
    rank: int,
    count: int,
    port: int,
    messages: Any,
    result: Path,
    training: Callable[..., TrainingResult[Any]],
    arguments: tuple[Any, ...],
    named: dict[str, Any],
) -> None:
    """Run in one of the processes, from its start to its end."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    variables = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in variables.items()}
    # The loopback; gloo would ask for the address of this machine's name, which not every machine can resolve.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", socket.if_nameindex()[0][1])
    if not torch.cuda.is_available():
        torch.set_num_threads(max(1, torch.get_num_threads() // count))
    try:
        outcome = training(*arguments, log=lambda step, figures: messages.put((step, figures)), **named)
    except DiscernError as error:
        messages.put((rank, error))
        raise SystemExit(1) from None
    if rank == 0:
        torch.save(outcome, result)
    if dist.is_initialized():
        dist.destroy_process_group()


def _end_with_parent() -> None:
    """End when the parent process is gone, perhaps killed: its next run trains from the checkpoint."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _end(children: Sequence[BaseProcess]) -> None:
    """Kill all that still run."""
    for child in children:
        if child.pid is not None:
            child.kill()
            child.join()


def _watch(children: Sequence[BaseProcess], messages: Any, log: Log | None) -> None:
    """Log what the children send until all have ended well.

    Raises:
        DiscernError: as `launch`.
    """
    errors: dict[int, DiscernError] = {}
    deadline = float("inf")
    while any(child.is_alive() for child in children) and time.monotonic() < deadline:
        _take(messages, errors, log)
        if any(child.exitcode for child in children):
            deadline = min(deadline, time.monotonic() + GRACE)
    _take(messages, errors, log)
    if errors:
        raise errors[min(errors)]  # the main process's own error, rather than that it has failed
    # A killed process, of negative status, comes before those that miss it and end for that.
    ended = sorted((child.exitcode, rank) for rank, child in enumerate(children) if child.exitcode)
    if ended:
        status, rank = ended[0]
        raise TrainingError(
            f"Process {rank} of the {len(children)} that train together ended with status {status} (a signal's number "
            "where negative): see what it wrote; run again to go on from the last checkpoint."
        )


def _take(messages: Any, errors: dict[int, DiscernError], log: Log | None) -> None:
    """Take all messages from the queue, and wait a moment for more."""
    while True:
        try:
            number, message = messages.get(timeout=POLL)
        except queue.Empty:
            return
        if isinstance(message, DiscernError):
            errors[number] = message
        elif log is not None:
            log(number, message)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
