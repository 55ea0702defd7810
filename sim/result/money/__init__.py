"""From a run's log to money, beside what its machines cost."""
