"""Which assumption of a plan moves its cost and its latency most: one at a time, on the same random numbers."""
