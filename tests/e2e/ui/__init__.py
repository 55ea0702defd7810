"""`fleetcast ui` as its users have it: a server of its own, asked over HTTP and through a browser."""
