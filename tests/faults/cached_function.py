"""A function to be compiled, and kept."""


def twice(value: int) -> int:
    """Two times it."""
    return 2 * value
