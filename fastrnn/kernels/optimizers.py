"""Clipping and the optimizers' update rules, over the flat parameter buffer.

``parameters``, ``gradients`` and the optimizer's states hold ``count`` numbers (whole vectors; what lies past the last
parameter is zero and stays zero). Every shard of a minibatch has gradients of its own, one after another. The threads
share out blocks of ``BLOCK`` numbers. Formulas are PyTorch's.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.helper import helper
from fastrnn.kernels.operation import at, operation, record, share
from fastrnn.kernels.rows import add, fill
from fastrnn.kernels.vector import (
    doubles_at,
    fields,
    fma,
    lanes,
    load,
    maximum,
    minimum,
    positive_quotient,
    real_of,
    splat,
    square_root,
    store,
    sum_lanes,
)

BLOCK = 4096

UPDATE = record(
    "count parameters gradients first_state second_state block_sums shards nesterov clips_value clips_norm",
    "learning_rate momentum weight_decay beta_1 beta_2 epsilon clip_value clip_norm",
)


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
    start, stop = share(s.count, BLOCK, c.thread, c.threads)
    fill(at(s.gradients, real, start), stop - start, splat(real, 0.0))


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
def sum_squares(real, call, spec):
    """Sum of squares of the (element-clipped) gradients, block by block: the total does not depend on the threads."""
    s, c = fields(spec), fields(call)
    gradients = at(s.gradients, real)
    limit = real_of(real, s.clip_value)
    start, stop = share(s.count, BLOCK, c.thread, c.threads)
    for block in range(start, stop, BLOCK):
        total = splat(real, 0.0)
        for i in range(block, min(stop, block + BLOCK), lanes(real)):
            g = _clipped(load(gradients, i), s.clips_value, limit)
            total = fma(g, g, total)
        doubles_at(s.block_sums)[block // BLOCK] = sum_lanes(total)


@helper
def _norm_factor(s):
    """``min(1, clip_norm / (norm + 1e-6))`` from the sums of all blocks, added in order."""
    if s.clips_norm == 0:
        return 1.0
    total = 0.0
    for block in range((s.count + BLOCK - 1) // BLOCK):
        total += doubles_at(s.block_sums)[block]
    factor = s.clip_norm / (total**0.5 + 1e-6)
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
    start, stop = share(s.count, BLOCK, c.thread, c.threads)
    for i in range(start, stop, lanes(real)):
        p = load(parameters, i)
        g = fma(p, decay, _clipped(load(gradients, i), s.clips_value, limit) * factor)
        if s.first_state != 0:
            v = fma(load(velocity, i), momentum, g)
            store(velocity, i, v)
            g = fma(v, momentum, g) if s.nesterov != 0 else v
        store(parameters, i, p - g * rate)


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
