"""The work of the processes of `test_launch.py`. It imports little, since each of them imports it anew."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from torch import nn

from discern.errors import TrainingError
from discern.learning.config import LoopConfig
from discern.learning.distributed import collectives
from discern.learning.distributed.launch import launch
from discern.learning.ports import Log
from discern.learning.trainer import TrainingResult

PAIR = LoopConfig(processes=2, device="cpu", steps=11)
PATIENCE = 300  # seconds, of a machine that has much else to do; alone it takes ten
REFUSAL = "The second process found no photos: add some."


def work(config: LoopConfig, orders: str, folder: Path, *, log: Log | None) -> TrainingResult[nn.Module]:
    """A training in which the second process only follows `orders`: die, refuse, wait or end."""
    is_second = os.environ["RANK"] == "1"
    (folder / f"{os.environ['RANK']}.pid").write_text(str(os.getpid()))
    if orders == "die":
        if is_second:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1)
        raise SystemExit(1)  # as a process whose connection to the other is gone
    if is_second and orders == "refuse":
        raise TrainingError(REFUSAL)
    if orders != "end":
        time.sleep(PATIENCE)
    assert log is not None
    log(collectives.world_size(), {"rank": float(os.environ["RANK"])})
    return TrainingResult(nn.Linear(1, 1))


if __name__ == "__main__":
    from tests.discern.learning.distributed.workers import work as by_name  # not `__main__`'s: others import it

    launch(by_name, PAIR, PAIR, "wait", Path(sys.argv[1]), log=None)
