"""Studies: many runs for one answer."""
