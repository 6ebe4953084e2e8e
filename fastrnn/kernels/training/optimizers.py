"""Clipping and the optimizers' update rules, over the flat parameter buffer.

``parameters``, ``gradients`` and the optimizer's states hold ``count`` numbers, which the threads share out in pieces
of ``BLOCK``; or they are a matrix of rows of ``columns`` numbers, of which the pieces are the ``rows`` that the
minibatch used (:mod:`fastrnn.kernels.training.used_rows`). Every shard of a minibatch has gradients of its own, one
after another. Formulas are PyTorch's.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.operation import at, operation, record, share
from fastrnn.kernels.machine.rows import add, fill
from fastrnn.kernels.machine.vector import (
    doubles_at,
    fields,
    first_lanes,
    fma,
    integers_at,
    lane,
    lanes,
    load,
    maximum,
    minimum,
    offset,
    positive_quotient,
    real_of,
    splat,
    square_root,
    store,
    sum_lanes,
)

BLOCK = 4096

UPDATE = record(
    "count columns rows row_count most_rows parameters gradients first_state second_state norms all_norms norm_count "
    "shards nesterov clips_value clips_norm",
    "learning_rate momentum weight_decay beta_1 beta_2 rho epsilon clip_value clip_norm",
)

_HUGE = 2.0**540
"""Norms of float64 divided by this have squares that do not overflow, nor does their sum."""


@helper
def _own_pieces(s, c):
    """The range of pieces that falls to this thread."""
    pieces = (s.count + BLOCK - 1) // BLOCK if s.rows == 0 else integers_at(s.row_count)[0]
    return share(pieces, 1, c.thread, c.threads)


@helper
def _piece(s, piece):
    """The range of numbers ``[start, stop)`` of a piece."""
    if s.rows == 0:
        return piece * BLOCK, min(s.count, (piece + 1) * BLOCK)
    start = integers_at(s.rows)[piece] * s.columns
    return start, start + s.columns


@helper
def _write(target, place, value, left):
    """Store the first ``left`` numbers of a vector; another thread may be writing what lies behind them."""
    if left >= lanes(target):
        store(target, place, value)
        return
    for i in range(left):
        target[place + i] = lane(value, i)


@helper
def _clipped(gradient, clips_value, limit):
    """The gradient's elements clipped to [-limit, limit]; NaN stays."""
    if clips_value != 0:
        return maximum(minimum(gradient, limit), -limit)
    return gradient


@operation(UPDATE)
@njit
def zero_gradients(real, call, spec):
    """Set the gradients to zero."""
    s, c = fields(spec), fields(call)
    gradients = at(s.gradients, real)
    for piece in range(*_own_pieces(s, c)):
        start, stop = _piece(s, piece)
        whole = (stop - start) // lanes(real) * lanes(real)
        fill(offset(gradients, start), whole, splat(real, 0.0))
        for i in range(start + whole, stop):
            gradients[i] = 0.0


@operation(UPDATE)
@njit
def sum_shards(real, call, spec):
    """Add the gradients of all shards, in their order, to those of the first."""
    s, c = fields(spec), fields(call)
    start, stop = share(s.count, BLOCK, c.thread, c.threads)
    for shard in range(1, s.shards):
        add(at(s.gradients, real, shard * s.count + start), at(s.gradients, real, start), stop - start)


@operation(UPDATE)
@njit
def gradient_norms(real, call, spec):
    """The norm of the (element-clipped) gradients, piece by piece: the whole norm does not depend on the threads."""
    s, c = fields(spec), fields(call)
    gradients = at(s.gradients, real)
    limit = real_of(real, s.clip_value)
    zero = splat(real, 0.0)
    first, last = _own_pieces(s, c)
    for piece in range(first, last):
        total = zero
        start, stop = _piece(s, piece)
        for i in range(start, stop, lanes(real)):
            g = _clipped(load(gradients, i), s.clips_value, limit)
            if stop - i < lanes(real):
                g = first_lanes(g, zero, stop - i)
            total = fma(g, g, total)
        square = float(sum_lanes(total))
        doubles_at(s.norms)[piece] = square**0.5 if square < np.inf else _large_norm(s, gradients, start, stop)
    if s.rows != 0 and c.thread == c.threads - 1:
        for piece in range(last, s.most_rows):
            doubles_at(s.norms)[piece] = 0.0


@helper
def _large_norm(s, gradients, start, stop):
    """The norm of numbers whose squares overflow: they are scaled by the largest, which may itself be infinite."""
    limit = s.clip_value if s.clips_value != 0 else np.inf
    largest, total = 0.0, 0.0
    for i in range(start, stop):
        largest = max(largest, min(abs(float(gradients[i])), limit))
    if largest == np.inf:
        return largest
    for i in range(start, stop):
        ratio = min(abs(float(gradients[i])), limit) / largest
        total += ratio * ratio
    return largest * total**0.5


@helper
def _norm_factor(s):
    """``min(1, clip_norm / (norm + 1e-6))`` from the norms of all pieces, their squares added in order."""
    if s.clips_norm == 0:
        return 1.0
    total, scale = 0.0, 1.0
    for piece in range(s.norm_count):
        norm = doubles_at(s.all_norms)[piece]
        total += norm * norm
    if total == np.inf:
        total, scale = 0.0, _HUGE
        for piece in range(s.norm_count):
            norm = doubles_at(s.all_norms)[piece] / scale
            total += norm * norm
    factor = s.clip_norm / (total**0.5 * scale + 1e-6)
    return 1.0 if factor > 1.0 else factor


@operation(UPDATE)
@njit
def sgd_update(real, call, spec):
    """``v = momentum v + g``; ``p -= learning_rate v`` (Nesterov: ``g + momentum v``); ``g`` has ``weight_decay p``."""
    s, c = fields(spec), fields(call)
    parameters, gradients, velocity = at(s.parameters, real), at(s.gradients, real), at(s.first_state, real)
    limit = real_of(real, s.clip_value)
    factor = real_of(real, _norm_factor(s))
    rate, momentum, decay = real_of(real, s.learning_rate), real_of(real, s.momentum), real_of(real, s.weight_decay)
    for piece in range(*_own_pieces(s, c)):
        start, stop = _piece(s, piece)
        for i in range(start, stop, lanes(real)):
            p = load(parameters, i)
            g = fma(p, decay, _clipped(load(gradients, i), s.clips_value, limit) * factor)
            if s.first_state != 0:
                v = fma(load(velocity, i), momentum, g)
                store(velocity, i, v)
                g = fma(v, momentum, g) if s.nesterov != 0 else v
            _write(parameters, i, p - g * rate, stop - i)


@operation(UPDATE)
@njit
def adam_update(real, call, spec):
    """``m``, ``v`` the running means of ``g`` and ``g**2``; ``p -= learning_rate m^ / (sqrt(v^) + epsilon)``.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1.
    """
    s, c = fields(spec), fields(call)
    parameters, gradients = at(s.parameters, real), at(s.gradients, real)
    mean, square = at(s.first_state, real), at(s.second_state, real)
    limit = real_of(real, s.clip_value)
    factor = real_of(real, _norm_factor(s))
    rate = real_of(real, s.learning_rate / (1.0 - s.beta_1**c.step))
    scale = real_of(real, 1.0 / (1.0 - s.beta_2**c.step) ** 0.5)
    keep_1, add_1 = real_of(real, s.beta_1), real_of(real, 1.0 - s.beta_1)
    keep_2, add_2 = real_of(real, s.beta_2), real_of(real, 1.0 - s.beta_2)
    epsilon = real_of(real, s.epsilon)
    start, stop = share(s.count, BLOCK, c.thread, c.threads)
    for i in range(start, stop, lanes(real)):
        g = _clipped(load(gradients, i), s.clips_value, limit) * factor
        m = fma(load(mean, i), keep_1, g * add_1)
        v = fma(load(square, i), keep_2, g * g * add_2)
        store(mean, i, m)
        store(square, i, v)
        move = positive_quotient(m * rate, fma(square_root(v), scale, epsilon))
        store(parameters, i, load(parameters, i) - move)


@operation(UPDATE)
@njit
def rmsprop_update(real, call, spec):
    """``v`` the running mean of ``g**2``; ``u = momentum u + g / (sqrt(v) + epsilon)``; ``p -= learning_rate u``.

    References
    ----------
    Tieleman and Hinton, Neural networks for machine learning, 2012, lecture 6e.
    """
    s, c = fields(spec), fields(call)
    parameters, gradients = at(s.parameters, real), at(s.gradients, real)
    square, velocity = at(s.first_state, real), at(s.second_state, real)
    limit = real_of(real, s.clip_value)
    factor = real_of(real, _norm_factor(s))
    rate, momentum, epsilon = real_of(real, s.learning_rate), real_of(real, s.momentum), real_of(real, s.epsilon)
    keep, add_new = real_of(real, s.rho), real_of(real, 1.0 - s.rho)
    start, stop = share(s.count, BLOCK, c.thread, c.threads)
    for i in range(start, stop, lanes(real)):
        g = _clipped(load(gradients, i), s.clips_value, limit) * factor
        v = fma(load(square, i), keep, g * g * add_new)
        store(square, i, v)
        move = positive_quotient(g, square_root(v) + epsilon)
        if s.second_state != 0:
            move = fma(load(velocity, i), momentum, move)
            store(velocity, i, move)
        store(parameters, i, load(parameters, i) - move * rate)


@operation(UPDATE)
@njit
def adagrad_update(real, call, spec):
    """``total`` the sum of all ``g**2``; ``p -= learning_rate g / (sqrt(total) + epsilon)``.

    References
    ----------
    Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 2011.
    """
    s, c = fields(spec), fields(call)
    parameters, gradients, total = at(s.parameters, real), at(s.gradients, real), at(s.first_state, real)
    limit = real_of(real, s.clip_value)
    factor = real_of(real, _norm_factor(s))
    rate, epsilon = real_of(real, s.learning_rate), real_of(real, s.epsilon)
    for piece in range(*_own_pieces(s, c)):
        start, stop = _piece(s, piece)
        for i in range(start, stop, lanes(real)):
            g = _clipped(load(gradients, i), s.clips_value, limit) * factor
            a = fma(g, g, load(total, i))
            _write(total, i, a, stop - i)
            move = positive_quotient(g * rate, square_root(a) + epsilon)
            _write(parameters, i, load(parameters, i) - move, stop - i)
