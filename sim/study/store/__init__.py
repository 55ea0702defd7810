"""A study on disk: one folder with what is to be run (`study.json`) and every run that has been made.

While runs are made, each is a line of a journal; when all are there they become `runs.parquet`, and the journals go.
"""

from __future__ import annotations

from sim.study.store.damage import damage_told
from sim.study.store.design import Design, Place, joined
from sim.study.store.folder import Store, opened, read
from sim.study.store.kept import Kept, Making, made

__all__ = ["Design", "Kept", "Making", "Place", "Store", "damage_told", "joined", "made", "opened", "read"]
