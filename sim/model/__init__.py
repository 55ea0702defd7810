"""The model: pure transitions over tables. No clock, no randomness, no I/O, no SimPy, no pandas."""
