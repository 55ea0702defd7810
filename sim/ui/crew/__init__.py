"""Processes that work for the page, and the jobs that are given to them."""
