"""Runs of one scenario, again and again: what is kept of each, and what they say together."""
