"""What things cost and earn: prices, contracts, what slowness is worth. Knows no run: it is given what was seen."""
