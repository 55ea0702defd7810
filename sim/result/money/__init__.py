"""What a run has cost and earned: everything that is told in USD beyond the price of a replica's hour."""
