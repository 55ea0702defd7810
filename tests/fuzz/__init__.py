"""Hostile input for everything that reads: one target a reader, driven by coverage (atheris) and at random.

python -m tests.fuzz --list
python -m tests.fuzz --target scenario --inputs 10000
make fuzz INPUTS=1000000
"""
