"""The whole stack on one machine: PostgreSQL from a wheel, a broker made of files, and the processes around them."""


class Obstacle(Exception):
    """Something on this machine stands in the way. The message says what it is and what to do about it."""
