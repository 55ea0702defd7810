"""One HTML page that needs nothing but a browser: what is on it, and how it is written."""
