"""A comparison in words and in a picture."""
