"""From what a run used to what it costs: usage, contracts, the bill, commitments."""
