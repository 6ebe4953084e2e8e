"""Sampling: from the outputs of a network to the next character."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_sampling(temperature: float, top_k: int | None) -> None:
    """Raise ValueError for a temperature that is no finite number from 0 up, or a top_k below 1."""
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(
            f"temperature={temperature}; expected a number from 0 up: 0 always takes the likeliest character, 1 draws "
            "as the model was trained to"
        )
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1):
        raise ValueError(f"top_k={top_k!r}; expected a whole number, at least 1: the likeliest characters to draw from")


def probabilities(logits: ArrayLike, temperature: float = 1.0, top_k: int | None = None) -> NDArray[np.float64]:
    """Give the probability of each character: `softmax(logits / temperature)` over the `top_k` likeliest.

    At temperature 0 the likeliest has all; of equals the first.

    Parameters
    ----------
    logits
        (V,), finite.
    """
    scores = np.asarray(logits, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    kept = order[: 1 if temperature == 0 else top_k]
    with np.errstate(over="ignore"):  # far below the likeliest at a temperature near 0: exp(-inf) is 0
        powers = np.exp((scores[kept] - scores[order[0]]) / (temperature or 1.0))
    result = np.zeros(len(scores))
    result[kept] = powers / powers.sum()
    return result


def draw(shares: NDArray[np.float64], random: np.random.Generator) -> int:
    """Draw an id with the given probabilities (V,); takes one number from the generator."""
    sums = np.cumsum(shares)
    return int(np.searchsorted(sums, random.random() * sums[-1], side="right"))
