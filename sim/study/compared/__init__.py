"""Scenarios beside each other on the same random numbers."""
