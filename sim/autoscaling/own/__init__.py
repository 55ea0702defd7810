"""Policies of our own: by schedule, by forecast, by queue, by latency, and one that knows the future."""
