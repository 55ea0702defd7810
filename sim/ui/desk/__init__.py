"""What one process works out for the page: sliders, the numbers and charts of a run, comparisons, scenarios by name."""
