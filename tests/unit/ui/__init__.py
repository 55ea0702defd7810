"""What is behind the page, piece by piece."""
