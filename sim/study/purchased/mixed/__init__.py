"""Fleets of several GPU types: which sizes of requests each type serves, and how many of it (Melange, Griggs 2024)."""
