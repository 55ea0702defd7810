"""A plan made again: what has changed since an earlier one, and why."""
