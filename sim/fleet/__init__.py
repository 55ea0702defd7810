"""The control plane as SimPy processes: everything slow, the same in both calendars."""
