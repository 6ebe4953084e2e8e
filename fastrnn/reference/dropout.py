"""Dropout, its masks drawn from a counter: an element's fate depends on where it is and on nothing drawn before.

References
----------
Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC11: Philox4x32-10.
Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, JMLR 15.
Gal, Ghahramani (2016), A theoretically grounded application of dropout in recurrent neural networks, NeurIPS:
one mask a sequence for a cell's input and state.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.reference.arrays import Array

Dropout = tuple[int, int] | None
Words = NDArray[np.uint64]
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


def philox4x32(
    counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[int, int]
) -> tuple[Words, Words, Words, Words]:
    """Return the four random words of each counter: ten rounds of multiplying, crossing over and adding the key.

    Parameters
    ----------
    counter : four arrays of integers below 2**32 that broadcast against each other
    key : two integers below 2**32

    Returns
    -------
    words : four arrays of integers below 2**32, in 64 bits
    """
    a, b, c, d = (np.asarray(word, dtype=np.uint64) for word in counter)
    k, l = (np.uint64(word) for word in key)  # noqa: E741
    for _ in range(10):
        left, right = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b, c, d = (right >> HALF) ^ b ^ k, right & LOW, (left >> HALF) ^ d ^ l, left & LOW
        k, l = (k + WEYL[0]) & LOW, (l + WEYL[1]) & LOW  # noqa: E741
    return a, b, c, d


def dropout_mask(shape: tuple[int, ...], rate: float, stream: int, dropout: Dropout, first: int = 0) -> Array:
    """Return 0 where an element is dropped, 1 / (1 - rate) where it stays; ones without dropout.

    Element j of row r at step t is dropped if word 0 of Philox4x32-10, with counter (j, t, r, minibatch) and key
    (seed, stream), is below rate 2**32; a seed beyond 32 bits gives the key NumPy's words of it, the second with the
    stream's bits flipped.

    Parameters
    ----------
    shape : (N, T, I), or (N, I): t = 0
    rate : in [0, 1), the probability of being dropped
    stream : int, which use of dropout in the model
    dropout : (seed, minibatch), the minibatch's number counted from 0 since training began; None: no dropout
    first : int, t of the first step of the shape
    """
    if dropout is None or rate == 0.0:
        return np.ones(shape)
    seed, minibatch = dropout
    r, t, j = np.ogrid[: shape[0], first : first + (shape[1] if len(shape) == 3 else 1), : shape[-1]]
    key = (seed, stream)
    if seed >= 2**32:
        words = np.random.SeedSequence(seed).generate_state(2)
        key = (int(words[0]), int(words[1]) ^ stream)
    word, *_ = philox4x32((j, t, r, minibatch), key)
    dropped = word < np.uint64(rate * 2**32)
    return np.where(dropped, 0.0, 1.0 / (1.0 - rate)).reshape(shape)
