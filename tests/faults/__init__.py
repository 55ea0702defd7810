"""Our own faults: killed at any moment, a full disk, a broken cache, a user's code that fails."""
