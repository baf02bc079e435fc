"""Which enrolments of a use case count: those that are in the release that devices use, or were before its training."""

from __future__ import annotations

from datetime import datetime

from discern.publication.repository import ReleaseRepository
from discern.sources.enrolled.ledger import Ledger
from orchestration import storage_layout


def settle(repository: ReleaseRepository, use_case: str, production: str | None) -> None:
    """Let the ledger of a use case say which of its requests are live, after a change of the channel.

    Args:
        repository: of the active stack.
        use_case: whose ledger it is.
        production: the release that devices use; None where there is none.

    Raises:
        DataError: the ledger cannot be read.
        OSError: it cannot be written.
        PublicationError: the repository cannot be read.
    """
    ledger = Ledger(storage_layout.enrolments(use_case))
    if production is not None and ledger.has_notes():
        ledger.settle(*enrolled_chain(repository, production))


def enrolled_chain(repository: ReleaseRepository, release: str) -> tuple[frozenset[str], datetime]:
    """Return the releases that a release was enrolled from, itself among them, and when the first of them was built.

    The chain ends at the release that was trained, or at one whose own base was collected: what counted when that one
    was built is in it.

    Raises:
        PublicationError: the release is not in the repository, or one of them is altered.
    """
    chain, here = [release], {published.id for published in repository.releases()}
    manifest = repository.manifest(release)
    while (base := manifest.lineage.enrolled_into) is not None:
        chain.append(base)
        if base not in here:
            break
        manifest = repository.manifest(base)
    return frozenset(chain), manifest.created
