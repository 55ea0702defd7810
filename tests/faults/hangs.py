"""A module that cannot be imported in a lifetime."""

import time

time.sleep(600)
