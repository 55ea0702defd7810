"""How many proofs of a kind there are, for the pages that say so: read from the tests."""

from __future__ import annotations

COLLECTED = 104
"""Cases in the collection of queues with known answers, which lies beside the checkout and may be absent."""


def queue_cases() -> int:
    """Of these, those that the tests simulate."""
    return COLLECTED - other_queue_cases()


def other_queue_cases() -> int:
    """The rest, each with its reason in the test."""
    from tests.validation import test_queue_vectors

    return len(test_queue_vectors.NOT_EXPRESSED) + len(test_queue_vectors.EXACT_ELSEWHERE)


def quick_queue_cases() -> int:
    """Those in every run of the suite."""
    from tests.validation import test_queue_vectors

    return len(test_queue_vectors.QUICK)
