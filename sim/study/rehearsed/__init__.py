"""Failure drills: what a planned fleet does when something goes wrong, found out by running it."""
