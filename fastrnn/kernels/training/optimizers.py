"""Clipping and the optimizers' update rules, over the flat parameter buffer.

``parameters``, ``gradients`` and the optimizer's states hold ``count`` numbers, which the threads share out in pieces
of ``BLOCK``; or they are a matrix of rows of ``columns`` numbers, of which the pieces are the ``rows`` that the
minibatch used (:mod:`fastrnn.kernels.training.used_rows`). Every shard of a minibatch has gradients of its own, one
after another. Formulas are PyTorch's.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from fastrnn.kernels.machine.helper import helper, inlined, spliced
from fastrnn.kernels.machine.rows import add, fill
from fastrnn.kernels.machine.vector import (
    absolute,
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
from fastrnn.kernels.machine.work import at, share
from fastrnn.operations.updates import BLOCK

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


@njit
def sum_shards(real, call, spec):
    """Add the gradients of all shards, in their order, to those of the first."""
    s, c = fields(spec), fields(call)
    start, stop = share(s.count, BLOCK, c.thread, c.threads)
    for shard in range(1, s.shards):
        add(at(s.gradients, real, shard * s.count + start), at(s.gradients, real, start), stop - start)


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


# ---------------------------------------------------------------------------------------------- rules


@spliced
def _each(numbers, rule, real, call, spec):
    """Apply a rule to this thread's pieces, vector by vector.

    ``numbers(real, s, c)`` returns what is the same for all of them, ``rule(n, p, g, states, i, left)`` the new
    parameters from the old ones and the clipped gradient; it keeps its states itself, at ``i``. Flags that the rule
    asks for every vector are among the numbers: read from the record they would be loaded again after every store.
    """
    s, c = fields(spec), fields(call)
    parameters, gradients = at(s.parameters, real), at(s.gradients, real)
    states = at(s.first_state, real), at(s.second_state, real), at(s.third_state, real)
    clips, limit = s.clips_value, real_of(real, s.clip_value)
    factor = real_of(real, _norm_factor(s))
    n = numbers(real, s, c)
    for piece in range(*_own_pieces(s, c)):
        start, stop = _piece(s, piece)
        for i in range(start, stop, lanes(real)):
            g = _clipped(load(gradients, i), clips, limit) * factor
            _write(parameters, i, rule(n, load(parameters, i), g, states, i, stop - i), stop - i)


@inlined
def _decayed(g, p, decay):
    """The gradient with ``weight_decay`` (L2)."""
    return fma(p, decay, g) if decay != 0.0 else g


@helper
def _sgd_numbers(real, s, c):
    taken = 1.0 - s.dampening if c.step > 1 else 1.0  # the first velocity is the gradient itself
    return (
        real_of(real, s.learning_rate),
        real_of(real, s.momentum),
        real_of(real, s.weight_decay),
        real_of(real, taken),
        s.first_state != 0,
        s.nesterov != 0,
    )


@inlined
def _sgd(n, p, g, states, i, left):
    rate, momentum, decay, taken, has_velocity, nesterov = n
    g = fma(p, decay, g)
    if has_velocity:
        v = fma(load(states[0], i), momentum, g * taken)
        store(states[0], i, v)
        g = fma(v, momentum, g) if nesterov else v
    return p - g * rate


@njit
def sgd_update(real, call, spec):
    """``v = momentum v + (1 - dampening) g``; ``p -= learning_rate v`` (Nesterov: ``g + momentum v``)."""
    _each(_sgd_numbers, _sgd, real, call, spec)


@helper
def _adam_numbers(real, s, c):
    rate = s.learning_rate / (1.0 - s.beta_1**c.step)
    scale = 1.0 / (1.0 - s.beta_2**c.step) ** 0.5
    return (
        real_of(real, rate), real_of(real, scale), real_of(real, s.beta_1), real_of(real, 1.0 - s.beta_1),
        real_of(real, s.beta_2), real_of(real, 1.0 - s.beta_2), real_of(real, s.epsilon), s.amsgrad != 0,
        real_of(real, s.weight_decay),
    )  # fmt: skip


@inlined
def _adam_move(n, g, states, i):
    rate, scale, keep_1, add_1, keep_2, add_2, epsilon, amsgrad, _ = n
    m = fma(load(states[0], i), keep_1, g * add_1)
    v = fma(load(states[1], i), keep_2, g * g * add_2)
    store(states[0], i, m)
    store(states[1], i, v)
    if amsgrad:
        v = maximum(load(states[2], i), v)
        store(states[2], i, v)
    return positive_quotient(m * rate, fma(square_root(v), scale, epsilon))


@inlined
def _adam(n, p, g, states, i, left):
    return p - _adam_move(n, _decayed(g, p, n[8]), states, i)


@njit
def adam_update(real, call, spec):
    """``m``, ``v`` the running means of ``g`` and ``g**2``; ``p -= learning_rate m^ / (sqrt(v^) + epsilon)``.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1. Reddi, Kale and Kumar, On the
    convergence of Adam and beyond, ICLR 2018 (``amsgrad``: the largest v so far).
    """
    _each(_adam_numbers, _adam, real, call, spec)


@helper
def _rmsprop_numbers(real, s, c):
    return (
        real_of(real, s.learning_rate), real_of(real, s.momentum), real_of(real, s.epsilon), real_of(real, s.rho),
        real_of(real, 1.0 - s.rho), real_of(real, s.weight_decay), s.centered != 0,
    )  # fmt: skip


@inlined
def _rmsprop(n, p, g, states, i, left):
    rate, momentum, epsilon, keep, add_new, decay, centered = n
    g = _decayed(g, p, decay)
    v = fma(load(states[0], i), keep, g * g * add_new)
    store(states[0], i, v)
    if centered:
        mean = fma(load(states[2], i), keep, g * add_new)
        store(states[2], i, mean)
        v = maximum(v - mean * mean, 0.0)
    move = positive_quotient(g, square_root(v) + epsilon)
    if momentum != 0.0:
        move = fma(load(states[1], i), momentum, move)
        store(states[1], i, move)
    return p - move * rate


@njit
def rmsprop_update(real, call, spec):
    """``v`` the running mean of ``g**2``; ``u = momentum u + g / (sqrt(v) + epsilon)``; ``p -= learning_rate u``.

    References
    ----------
    Tieleman and Hinton, Neural networks for machine learning, 2012, lecture 6e. Graves, Generating sequences with
    recurrent neural networks, 2013, equation 38 (``centered``: the variance in place of v).
    """
    _each(_rmsprop_numbers, _rmsprop, real, call, spec)


@helper
def _adagrad_numbers(real, s, c):
    return real_of(real, s.learning_rate), real_of(real, s.epsilon), real_of(real, s.weight_decay)


@inlined
def _adagrad(n, p, g, states, i, left):
    rate, epsilon, decay = n
    g = _decayed(g, p, decay)
    a = fma(g, g, load(states[0], i))
    _write(states[0], i, a, left)
    return p - positive_quotient(g * rate, square_root(a) + epsilon)


@njit
def adagrad_update(real, call, spec):
    """``total`` the sum of all ``g**2``; ``p -= learning_rate g / (sqrt(total) + epsilon)``.

    References
    ----------
    Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 2011.
    """
    _each(_adagrad_numbers, _adagrad, real, call, spec)


@helper
def _adamw_numbers(real, s, c):
    rate, scale, keep_1, add_1, keep_2, add_2, epsilon, amsgrad, _ = _adam_numbers(real, s, c)
    keep = real_of(real, 1.0 - s.learning_rate * s.weight_decay)
    return rate, scale, keep_1, add_1, keep_2, add_2, epsilon, amsgrad, keep


@inlined
def _adamw(n, p, g, states, i, left):
    return p * n[8] - _adam_move(n, g, states, i)


@njit
def adamw_update(real, call, spec):
    """As :data:`adam_update`, of parameters that first shrink by ``learning_rate weight_decay``.

    References
    ----------
    Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019, algorithm 2.
    """
    _each(_adamw_numbers, _adamw, real, call, spec)


@helper
def _momentum(s, step):
    return s.beta_1 * (1.0 - 0.5 * 0.96 ** (step * s.momentum_decay))


@helper
def _nadam_numbers(real, s, c):
    product, step = 1.0, 0
    while step < c.step and product > 1e-20:  # below, 1 - product is 1
        step += 1
        product *= _momentum(s, step)
    now, following = _momentum(s, c.step), _momentum(s, c.step + 1)
    return (
        real_of(real, s.learning_rate * (1.0 - now) / (1.0 - product)),
        real_of(real, s.learning_rate * following / (1.0 - product * following)),
        real_of(real, 1.0 / (1.0 - s.beta_2**c.step) ** 0.5), real_of(real, s.beta_1), real_of(real, 1.0 - s.beta_1),
        real_of(real, s.beta_2), real_of(real, 1.0 - s.beta_2), real_of(real, s.epsilon), real_of(real, s.weight_decay),
    )  # fmt: skip


@inlined
def _nadam(n, p, g, states, i, left):
    of_gradient, of_mean, scale, keep_1, add_1, keep_2, add_2, epsilon, decay = n
    g = _decayed(g, p, decay)
    m = fma(load(states[0], i), keep_1, g * add_1)
    v = fma(load(states[1], i), keep_2, g * g * add_2)
    store(states[0], i, m)
    store(states[1], i, v)
    return p - positive_quotient(fma(m, of_mean, g * of_gradient), fma(square_root(v), scale, epsilon))


@njit
def nadam_update(real, call, spec):
    """Adam with Nesterov's momentum.

    References
    ----------
    Dozat, Incorporating Nesterov momentum into Adam, ICLR workshop 2016.
    """
    _each(_nadam_numbers, _nadam, real, call, spec)


@helper
def _adadelta_numbers(real, s, c):
    return (
        real_of(real, s.learning_rate), real_of(real, s.rho), real_of(real, 1.0 - s.rho), real_of(real, s.epsilon),
        real_of(real, s.weight_decay),
    )  # fmt: skip


@inlined
def _adadelta(n, p, g, states, i, left):
    rate, keep, add_new, epsilon, decay = n
    g = _decayed(g, p, decay)
    v, u = fma(load(states[0], i), keep, g * g * add_new), load(states[1], i)
    move = positive_quotient(square_root(u + epsilon) * g, square_root(v + epsilon))
    store(states[0], i, v)
    store(states[1], i, fma(u, keep, move * move * add_new))
    return p - move * rate


@njit
def adadelta_update(real, call, spec):
    """``d = sqrt(u + epsilon) / sqrt(v + epsilon) g``, with v, u the running means of ``g**2`` and ``d**2``.

    References
    ----------
    Zeiler, ADADELTA: an adaptive learning rate method, 2012, algorithm 1.
    """
    _each(_adadelta_numbers, _adadelta, real, call, spec)


@helper
def _adamax_numbers(real, s, c):
    return (
        real_of(real, s.learning_rate / (1.0 - s.beta_1**c.step)), real_of(real, s.beta_1),
        real_of(real, 1.0 - s.beta_1), real_of(real, s.beta_2), real_of(real, s.epsilon), real_of(real, s.weight_decay),
    )  # fmt: skip


@inlined
def _adamax(n, p, g, states, i, left):
    rate, keep_1, add_1, keep_2, epsilon, decay = n
    g = _decayed(g, p, decay)
    m = fma(load(states[0], i), keep_1, g * add_1)
    u = maximum(absolute(g) + epsilon, load(states[1], i) * keep_2)
    store(states[0], i, m)
    store(states[1], i, u)
    return p - positive_quotient(m * rate, u)


@njit
def adamax_update(real, call, spec):
    """``m`` the running mean of ``g``, ``u = max(beta_2 u, |g| + epsilon)``; ``p -= learning_rate m^ / u``.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 2.
    """
    _each(_adamax_numbers, _adamax, real, call, spec)
