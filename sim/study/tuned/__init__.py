"""Looking for better values of the keys of a scenario, an autoscaler's above all, and measuring what was found."""
