"""Checks end in time, whatever they wait for."""

from __future__ import annotations

import threading
import time

from stacks.doctor.findings import ok
from stacks.doctor.limit import within


def test_a_check_that_hangs_is_a_fault_and_the_others_are_told() -> None:
    end = threading.Event()

    def hang() -> list[object]:
        end.wait()
        return []

    began = time.monotonic()
    findings = within(0.3, {"slow": hang, "quick": lambda: [ok("quick", "fine")]})  # type: ignore[dict-item]
    end.set()
    assert time.monotonic() - began < 5
    assert [(finding.check, finding.level) for finding in findings] == [("slow", "fault"), ("quick", "ok")]
    assert "has not answered within 0.3 seconds" in findings[0].text
