"""Measured engines: fitted to, and predicted."""
