"""What a run costs and earns: usage, contracts, the bill and what is derived from it."""
