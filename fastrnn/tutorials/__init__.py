"""The tutorials: each reproduces a published example, end to end, with what `import fastrnn` offers.

`fastrnn run NAME` runs one; its module (a hyphen in the name is an underscore there) has the data, the model and the
training as functions that print nothing, and `main`, which prints the figures beside the published ones.
"""

NAMES = ("sine", "keras-check", "xsinx", "letters", "stocks", "addition", "text")
"""What `fastrnn run` knows, in the order in which they are best read."""
