"""The report of a run: its pictures, and what stands on its page."""
