"""Each tutorial's own recipe twice: as plain NumPy, the way its author would have written it, and through fastrnn.

A module has ``NAME``, the tutorial's; ``WHAT``, one line with its size and what the figure is; ``slow(seed)`` and
``fast(seed)``, which train from the same settings and return the recipe's final figure. `bench.recipes` times them.
"""
