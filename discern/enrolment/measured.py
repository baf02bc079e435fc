"""What a release with other classes answers and costs, for the floors and budgets that hold for every release."""

from __future__ import annotations

from discern.enrolment.proposal import Proposal
from discern.evaluation.gates import AnsweredQueries
from discern.evaluation.latency import identification_latencies
from discern.releases.footprint import peak_memory_mb
from edge_runtime.core.identify import Identifier
from edge_runtime.core.release import Release


def measured_release(release: Release, proposal: Proposal, *, with_memory: bool) -> AnsweredQueries:
    """Return the answers to the test queries of a proposed release that was built, with its cost.

    Args:
        release: the proposed release; its golden images are the photos that it is timed with.
        proposal: it.
        with_memory: whether its memory is measured too, by a process of its own.

    Raises:
        ReleaseError: it does not load, or cannot identify.
    """
    images, _ = release.golden()
    (latency,) = identification_latencies([Identifier(release)], images)
    return AnsweredQueries(
        truth=proposal.after.truth,
        answered=proposal.after.answers(proposal.rule),
        metrics=proposal.metrics,
        latency_ms=latency.p95,
        size_mb=release.manifest.total_bytes / 1e6,
        median_latency_ms=latency.median,
        memory_mb=peak_memory_mb(release, images[0]) if with_memory else None,
    )
