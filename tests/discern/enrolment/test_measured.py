from __future__ import annotations

from pathlib import Path

from discern.enrolment.measured import measured_release
from discern.enrolment.photos import read_photos
from discern.enrolment.proposal import build_proposal, propose
from discern.evaluation.gates import GateConfig, own_gates
from discern.evaluation.metrics import Metrics
from discern.sources.enrolled.ledger import OfferedPhoto
from edge_runtime.core.identify import Identifier
from edge_runtime.core.images import encode_png
from edge_runtime.core.release import Release
from tests.discern import toy


def test_floors_and_budgets_hold_for_what_is_enrolled_too(candidate: tuple[Release, Metrics], tmp_path: Path) -> None:
    base = candidate[0]
    identifier = Identifier(base)
    photos = [OfferedPhoto("new", f"{n}.png", encode_png(toy.disc(toy.TRAINED[0], 40 + n))) for n in range(2)]
    proposal = propose(base, identifier, read_photos(base, identifier.model, photos))
    measured = measured_release(build_proposal(tmp_path / "release", proposal), proposal, with_memory=True)
    assert measured.metrics == proposal.metrics
    lax = GateConfig(
        least_recall_at_1=0, least_tpir=0, least_tnir=0, least_precision=0, latency_ms=10_000, memory_mb=10_000
    )
    assert all(gate.passed for gate in own_gates(measured, lax))
    tight = {"least_recall_at_1": 1, "least_tnir": 1, "latency_ms": 1e-6, "size_mb": 1e-6, "memory_mb": 1}
    failed = {gate.name for gate in own_gates(measured, lax.model_copy(update=tight)) if not gate.passed}
    assert {"latency", "size", "memory"} <= failed <= {"latency", "size", "memory", "recall@1", "TNIR"}
    assert ("TNIR" in failed) == (proposal.metrics.tnir != 1)
