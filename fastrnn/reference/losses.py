"""Losses: a weighted mean over rows (and over the steps that count) of a place's loss.

With w the weight of a row, and the places being the rows of an output (N, O), or the steps t < length of the rows of an
output (N, T, O):

    loss = sum over places of  w l(y, target)  /  sum over places of w

The factor w / (sum of w) of a place is its *share*; a place that does not count has share 0, and the losses of pieces
of a sequence add up to the loss of the sequence. A mean over nothing is NaN, which `fastrnn.reference.model.gradients`
says: the functions here may see a piece in which nothing counts. The loss l of a place is a mean over the outputs (mse,
mae, binary cross-entropy) or a sum over the classes (categorical cross-entropies).

The cross-entropies are here in two forms: of probabilities, which are held in [1e-7, 1 - 1e-7] as in Keras, and of
logits, from which the probabilities come by sigmoid (binary) or softmax (categorical). The gradient of the second form
by the logits is p - target, however far the logits lie from 0; both are written so that nothing cancels where p is all
but the target.
"""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.activations import sigmoid, softmax
from fastrnn.reference.arrays import Array, counted_steps, float64

SMALLEST = 1e-7
"""The smallest probability that a cross-entropy of probabilities takes; 1 less this is the largest."""


def loss_shares(places: tuple[int, ...], sample_weight: ArrayLike | None, lengths: ArrayLike | None) -> Array:
    """Return what one unit of loss at each place adds to the loss of the batch.

    Parameters
    ----------
    places : (N,) or (N, T), the output's shape without its last axis
    sample_weight : (N,), or None: 1 for every row
    lengths : (N,) int, or None: every step counts; a row of length 0 counts for nothing

    Returns
    -------
    shares : (N,) or (N, T), all zero where nothing counts
    """
    weight = np.ones(places[0]) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    shares = np.zeros(places)
    if len(places) == 1:
        shares[:] = weight
        if lengths is not None:
            shares[np.asarray(lengths) == 0] = 0.0
    else:
        shares[:] = weight[:, None] * counted_steps(lengths, *places)
    total = shares.sum()
    return shares / total if total != 0.0 else shares


def mse(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Mean squared error: sum of share mean((y - target)²).

    Parameters
    ----------
    y, target : (N, O) or (N, T, O)
    shares : (N,) or (N, T), from `loss_shares`
    """
    y, target, shares = float64(y, target, shares)
    loss = 0.0
    for place in np.argwhere(shares):
        loss += shares[*place] * np.mean((y[*place] - target[*place]) ** 2)
    return float(loss)


def mse_backward(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient of `mse` by y, like y: d_y = 2 share (y - target) / O."""
    y, target, shares = float64(y, target, shares)
    d_y = np.zeros_like(y)
    for place in np.argwhere(shares):
        d_y[*place] = 2.0 * shares[*place] * (y[*place] - target[*place]) / y.shape[-1]
    return d_y


def mae(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Mean absolute error: sum of share mean(|y - target|); parameters as in `mse`."""
    y, target, shares = float64(y, target, shares)
    loss = 0.0
    for place in np.argwhere(shares):
        loss += shares[*place] * np.mean(np.abs(y[*place] - target[*place]))
    return float(loss)


def mae_backward(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient of `mae` by y, like y: d_y = share sign(y - target) / O, 0 where y meets the target."""
    y, target, shares = float64(y, target, shares)
    d_y = np.zeros_like(y)
    for place in np.argwhere(shares):
        d_y[*place] = shares[*place] * np.sign(y[*place] - target[*place]) / y.shape[-1]
    return d_y


# ---------------------------------------------------------------------------------------------- of probabilities


def binary_crossentropy(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Binary cross-entropy of probabilities: sum of share mean(-target log(y) - (1 - target) log(1 - y)).

    Parameters
    ----------
    y, target : (N, O) or (N, T, O), in [0, 1]
    shares : (N,) or (N, T), from `loss_shares`
    """
    y, target, shares = float64(y, target, shares)
    loss = 0.0
    for place in np.argwhere(shares):
        p = np.clip(y[*place], SMALLEST, 1.0 - SMALLEST)
        loss += shares[*place] * np.mean(-target[*place] * np.log(p) - (1.0 - target[*place]) * np.log(1.0 - p))
    return float(loss)


def binary_crossentropy_backward(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient by y, like y: d_y = share (y - target) / (y (1 - y)) / O, 0 where y is held at a bound."""
    y, target, shares = float64(y, target, shares)
    d_y = np.zeros_like(y)
    for place in np.argwhere(shares):
        p = np.clip(y[*place], SMALLEST, 1.0 - SMALLEST)
        d_y[*place] = shares[*place] * (p - target[*place]) / (p * (1.0 - p)) / y.shape[-1]
        d_y[*place][p != y[*place]] = 0.0
    return d_y


def categorical_crossentropy(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Categorical cross-entropy of probabilities: sum of share sum(-target log(y)).

    Parameters
    ----------
    y, target : (N, O) or (N, T, O), each place's numbers a distribution
    shares : (N,) or (N, T), from `loss_shares`
    """
    y, target, shares = float64(y, target, shares)
    loss = 0.0
    for place in np.argwhere(shares):
        p = np.clip(y[*place], SMALLEST, 1.0 - SMALLEST)
        loss += shares[*place] * np.sum(-target[*place] * np.log(p))
    return float(loss)


def categorical_crossentropy_backward(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient by y, like y: d_y = -share target / y, 0 where y is held at a bound."""
    y, target, shares = float64(y, target, shares)
    d_y = np.zeros_like(y)
    for place in np.argwhere(shares):
        p = np.clip(y[*place], SMALLEST, 1.0 - SMALLEST)
        d_y[*place] = -shares[*place] * target[*place] / p
        d_y[*place][p != y[*place]] = 0.0
    return d_y


def sparse_categorical_crossentropy(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Categorical cross-entropy of probabilities whose target is a class: sum of share (-log(y[class])).

    Parameters
    ----------
    y : (N, O) or (N, T, O), each place's numbers a distribution
    target : (N,) or (N, T) int, classes from 0 to O - 1; any number at places that do not count
    shares : (N,) or (N, T), from `loss_shares`
    """
    return categorical_crossentropy(y, one_hot(y, target, shares), shares)


def sparse_categorical_crossentropy_backward(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient by y, like y: d_y[class] = -share / y[class], 0 elsewhere and where y is held at a bound."""
    return categorical_crossentropy_backward(y, one_hot(y, target, shares), shares)


def one_hot(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Return the classes as distributions like y; zeros at places that do not count."""
    classes = np.asarray(target, dtype=np.int64)
    wide = np.zeros(np.shape(y))
    for place in np.argwhere(np.asarray(shares)):
        wide[(*place, classes[*place])] = 1.0
    return wide


# ---------------------------------------------------------------------------------------------- of logits


def binary_crossentropy_of_logits(a: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Binary cross-entropy of y = sigmoid(a): sum of share mean(max(a, 0) - a target + log(1 + exp(-|a|)))."""
    a, target, shares = float64(a, target, shares)
    loss = 0.0
    for place in np.argwhere(shares):
        each = np.maximum(a[*place], 0.0) - a[*place] * target[*place] + np.log1p(np.exp(-np.abs(a[*place])))
        loss += shares[*place] * np.mean(each)
    return float(loss)


def binary_crossentropy_of_logits_backward(a: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient by a, like a: d_a = share (sigmoid(a) - target) / O, with 1 - sigmoid(a) = sigmoid(-a)."""
    a, target, shares = float64(a, target, shares)
    d_a = np.zeros_like(a)
    for place in np.argwhere(shares):
        error = (1.0 - target[*place]) * sigmoid(a[*place]) - target[*place] * sigmoid(-a[*place])
        d_a[*place] = shares[*place] * error / a.shape[-1]
    return d_a


def categorical_crossentropy_of_logits(a: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Categorical cross-entropy of y = softmax(a): sum of share sum(-target log(y)).

    -log(y_j) = log(sum over k of exp(a_k - a_j)), in which k = j is the 1 of log(1 + the others).
    """
    a, target, shares = float64(a, target, shares)
    loss = 0.0
    for place in np.argwhere(shares):
        for j, weight in enumerate(target[*place]):
            others = np.logaddexp.reduce(np.delete(a[*place], j) - a[*place][j])
            loss += shares[*place] * weight * np.logaddexp(0.0, others)
    return float(loss)


def categorical_crossentropy_of_logits_backward(a: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient by a, like a: d_a = share (sum(target) y - target); the sum is 1 but for rounding.

    That is, with sums over the others k of each j, share (y_j sum(target_k) - target_j sum(y_k)).
    """
    a, target, shares = float64(a, target, shares)
    d_a = np.zeros_like(a)
    others = 1.0 - np.eye(a.shape[-1])
    for place in np.argwhere(shares):
        y = softmax(a[*place])
        d_a[*place] = shares[*place] * (y * (others @ target[*place]) - target[*place] * (others @ y))
    return d_a


def sparse_categorical_crossentropy_of_logits(a: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Categorical cross-entropy of softmax(a) whose target is a class: sum of share (log(sum(exp(a))) - a[class])."""
    return categorical_crossentropy_of_logits(a, one_hot(a, target, shares), shares)


def sparse_categorical_crossentropy_of_logits_backward(a: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient by a, like a: d_a = share softmax(a), less share at the class."""
    return categorical_crossentropy_of_logits_backward(a, one_hot(a, target, shares), shares)


# ---------------------------------------------------------------------------------------------- accuracy


def binary_accuracy(y: ArrayLike, target: ArrayLike, shares: ArrayLike, threshold: float = 0.5) -> float:
    """Share of outputs on the target's side: sum of share mean((y > threshold) = (target > 0.5)).

    Parameters
    ----------
    y, target : (N, O) or (N, T, O)
    shares : (N,) or (N, T), from `loss_shares`
    threshold : 0.5 for probabilities, 0 for logits
    """
    y, target, shares = float64(y, target, shares)
    right = 0.0
    for place in np.argwhere(shares):
        right += shares[*place] * np.mean((y[*place] > threshold) == (target[*place] > 0.5))
    return float(right)


def categorical_accuracy(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Share of places whose largest output (the first of equals) is the target's: y, target (N, O) or (N, T, O)."""
    return sparse_categorical_accuracy(y, np.argmax(np.asarray(target), axis=-1), shares)


def sparse_categorical_accuracy(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Share of places whose largest output (the first of equals) is the class: target (N,) or (N, T) int."""
    y, shares = float64(y, shares)
    classes, right = np.asarray(target), 0.0
    for place in np.argwhere(shares):
        right += shares[*place] * (np.argmax(y[*place]) == classes[*place])
    return float(right)


LOSSES = {
    "mse": (mse, mse_backward),
    "mae": (mae, mae_backward),
    "binary_crossentropy": (binary_crossentropy, binary_crossentropy_backward),
    "categorical_crossentropy": (categorical_crossentropy, categorical_crossentropy_backward),
    "sparse_categorical_crossentropy": (sparse_categorical_crossentropy, sparse_categorical_crossentropy_backward),
}
LOSSES_OF_LOGITS = {
    "binary_crossentropy": (binary_crossentropy_of_logits, binary_crossentropy_of_logits_backward),
    "categorical_crossentropy": (categorical_crossentropy_of_logits, categorical_crossentropy_of_logits_backward),
    "sparse_categorical_crossentropy": (
        sparse_categorical_crossentropy_of_logits,
        sparse_categorical_crossentropy_of_logits_backward,
    ),
}
