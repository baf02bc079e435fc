"""How the whole suite is run: which tests share a worker, marks that follow from fixtures, and what a test costs.

Seconds here are CPU seconds, of the test's process and of the children that it waited for: they are the same
however busy the machine is.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import pytest

# What these make for the session is dear, so one worker runs them all; and first, as they take longest.
ON_ONE_WORKER = (
    "tests/e2e/",
    "tests/discern/learning/distributed/",
    "tests/discern/releases/",
    "tests/discern/reports/",
)
MARKS_BY_FIXTURE = {
    "zenml_home": "zenml",
    "store": "zenml",
    "s3_endpoint": "network",
    "labelbox": "network",
    "loop": "slow",
    "grown": "slow",
}
SLOW = 1.0  # CPU seconds
CPU_SECONDS = "cpu_seconds"  # a property of a report
LAST_LOOK = pytest.StashKey[float]()
DEADLINE = pytest.StashKey[float]()
NOT_RUN = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this module."""
    group = parser.getgroup("discern")
    group.addoption("--cpu-times", type=int, default=0, metavar="N", help="name the N tests that took most CPU seconds")
    group.addoption("--stop-after", type=float, metavar="SECONDS", help="start no further test after this time")


def pytest_configure(config: pytest.Config) -> None:
    """Start the clock of `--stop-after`."""
    limit = config.getoption("--stop-after")
    config.stash[NOT_RUN] = []
    if limit is not None:
        config.stash[DEADLINE] = time.monotonic() + limit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures that they use; what takes longest comes first where workers share the tests."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKS_BY_FIXTURE:
                item.add_marker(MARKS_BY_FIXTURE[fixture])
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    for rank, folder in enumerate(ON_ONE_WORKER):
        if nodeid.startswith(folder):
            return rank
    return len(ON_ONE_WORKER)


def shared_worker(nodeid: str) -> str:
    """Return the name of the group of tests that one worker runs: a folder of `ON_ONE_WORKER`, or a file."""
    for folder in ON_ONE_WORKER:
        if nodeid.startswith(folder):
            return folder
    return nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole groups, in the order of the tests."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return shared_worker(nodeid)

    if config.getoption("dist") != "loadscope":
        return None
    config.option.loadscopereorder = False
    return Scheduler(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Take the time before a test; a test that would start after the deadline is not run."""
    item.stash[LAST_LOOK] = _cpu_seconds()
    deadline = item.config.stash.get(DEADLINE, None)
    if deadline is None or time.monotonic() < deadline:
        return None
    item.config.stash[NOT_RUN].append(item.nodeid)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what a test's set-up, call and tear-down each cost."""
    report = yield
    now = _cpu_seconds()
    report.user_properties.append((CPU_SECONDS, now - item.stash[LAST_LOOK]))
    item.stash[LAST_LOOK] = now
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the dearest tests, those that should be marked slow, and those that were not run."""
    count = config.getoption("--cpu-times")
    if count:
        _tell_costs(terminalreporter, count)
    not_run = config.stash[NOT_RUN]
    if not_run:
        files = {nodeid.split("::", 1)[0] for nodeid in not_run}
        terminalreporter.write_line(
            f"{len(not_run)} tests of {len(files)} files were not started: --stop-after was reached."
        )


def _tell_costs(terminalreporter: pytest.TerminalReporter, count: int) -> None:
    calls: Counter[str] = Counter()
    fixtures: Counter[str] = Counter()
    marked: set[str] = set()
    for report in _reports(terminalreporter):
        (calls if report.when == "call" else fixtures)[report.nodeid] += dict(report.user_properties)[CPU_SECONDS]
        if {"slow", "long"} & set(report.keywords):
            marked.add(report.nodeid)
    total = Counter(calls)
    total.update(fixtures)
    terminalreporter.section(f"CPU seconds: {sum(total.values()):.0f} in {len(total)} tests")
    for nodeid, seconds in total.most_common(count):
        terminalreporter.write_line(f"{seconds:7.1f}  of which fixtures {fixtures[nodeid]:5.1f}  {nodeid}")
    unmarked = [nodeid for nodeid, seconds in calls.most_common() if seconds > SLOW and nodeid not in marked]
    if unmarked:
        terminalreporter.section(f"more than {SLOW:.0f} CPU second, and not marked slow")
        for nodeid in unmarked:
            terminalreporter.write_line(f"{calls[nodeid]:7.1f}  {nodeid}")


def _reports(terminalreporter: pytest.TerminalReporter) -> Sequence[Any]:
    reports = [report for group in terminalreporter.stats.values() for report in group]
    return [report for report in reports if CPU_SECONDS in dict(getattr(report, "user_properties", ()))]


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
