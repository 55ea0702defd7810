"""Bugs made on purpose: does the suite notice?"""
