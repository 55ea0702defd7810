"""A scenario under many values of its keys."""
