"""`python -m benchmarks.publish_kill`: SIGKILL before each write of a publisher, and what devices get afterwards.

Publish, roll back, repair, collect, and the rotation of the keys of each role, on a repository in a folder. After each
kill a device of before and a new one pull, the next publisher publishes at once, the work that was cut off is done
again, and devices pull what it gave. `broken` counts the kills after which any of it failed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.run import BenchmarkParser, positive_int
from edge_runtime.device import updates
from tests.discern.publication.kills import cases, kills
from tests.edge_runtime.toy_release import COLOURS, build_toy

RELEASES = 3


def main() -> None:
    """Cut off everything, and count what was broken."""
    run = command_line().start()
    # The self-test in a child process takes most of a pull, and knows no repository.
    vars(updates)["run_selftest"] = lambda _folder, _release: None
    with tempfile.TemporaryDirectory() as work:
        releases = tuple(
            build_toy(Path(work) / f"release-{number}", colours={**COLOURS, "orange": (250, 140, 20 + number)})
            for number in range(RELEASES)
        )
        found: list[str | None] = []
        for name, case in cases(releases[-1]).items():
            folder = Path(work) / name
            folder.mkdir()
            found += kills(name, case, releases, folder, run.options.step)
    broken = [what for what in found if what]
    sys.stderr.writelines(f"{what}\n" for what in broken)
    run.save({"kills": len(found), "broken": len(broken)})


def command_line() -> BenchmarkParser:
    """The options of this benchmark."""
    parser = BenchmarkParser("publish_kill", __doc__)
    parser.add_trial("--step", type=positive_int, default=1, help="only one in so many writes")
    return parser


if __name__ == "__main__":
    main()
