"""The pictures of a fit and of a validation."""
