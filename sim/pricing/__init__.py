"""What things cost and earn, as files say it: prices of GPUs, contracts, electricity. Models and formulas, no runs."""
