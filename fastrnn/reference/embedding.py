"""The embedding: a vector for each id."""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.arrays import Array, float64


def embedding_forward(ids: ArrayLike, embeddings: ArrayLike) -> Array:
    """y[n, t] = E[ids[n, t]].

    Parameters
    ----------
    ids : (N, T) int
    embeddings : (V, E), E

    Returns
    -------
    y : (N, T, E)
    """
    ids = np.asarray(ids)
    (embeddings,) = float64(embeddings)
    y = np.zeros((*ids.shape, embeddings.shape[1]))
    for place in np.ndindex(ids.shape):
        y[place] = embeddings[ids[place]]
    return y


def embedding_backward(ids: ArrayLike, embeddings: ArrayLike, d_y: ArrayLike) -> Array:
    """Gradient of `embedding_forward` by the embeddings, (V, E): d_E[ids[n, t]] += d_y[n, t].

    Parameters
    ----------
    ids, embeddings : as in `embedding_forward`
    d_y : (N, T, E), gradient of the loss by y
    """
    ids = np.asarray(ids)
    embeddings, d_y = float64(embeddings, d_y)
    d_embeddings = np.zeros_like(embeddings)
    for place in np.ndindex(ids.shape):
        d_embeddings[ids[place]] += d_y[place]
    return d_embeddings
