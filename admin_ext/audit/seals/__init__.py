"""Seals: what makes a changed record show.

A leaf is a salted hash of one row of the record. A block is the Merkle root of its leaves, chained to the block before
and signed with a key that neither web, workers nor database know. What was signed is also written outside the database.
"""
