"""Losses and metrics: sums over rows and steps, and the gradient of the weighted mean."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.helper import helper
from fastrnn.kernels.operation import at, operation, record, share
from fastrnn.kernels.product import ROW_UNIT
from fastrnn.kernels.rows import padded_width
from fastrnn.kernels.signals import input_place, output_place, own_steps, rows_at
from fastrnn.kernels.vector import doubles_at, fields, integers_at

LOSSES = {"mse": 0, "mae": 1}
_MSE = 0

LOSS = record(
    "outputs capacity steps sequences columns codes y order batch_lengths batch_weight row_totals totals "
    "input input_first input_moves d_output wants_gradient"
)
"""``y`` (N, S, O) targets; ``input`` the model's output, as in :mod:`fastrnn.kernels.signals`, and ``d_output``
(S, B, O') its gradient; ``codes`` (columns) the loss, then the metrics; ``row_totals`` (columns, capacity)."""


@helper
def _value(code, difference):
    return difference * difference if code == _MSE else abs(difference)


@helper
def _slope(code, difference):
    if code == _MSE:
        return 2.0 * difference
    return 1.0 if difference > 0 else -1.0 if difference < 0 else difference


@operation(LOSS)
@njit
def loss(real, call, spec):
    """Add the window's weighted losses and metrics to ``row_totals``; write the loss's gradient to ``d_output``.

    A row's step counts if it is shorter than the row's length; without a step of its own (loss on the last output) a
    row counts unless its length is 0. Each column of ``row_totals`` adds ``weight * mean over outputs``; the gradient
    is divided by the minibatch's total weight, so that it is the gradient of the weighted mean.
    """
    s, c = fields(spec), fields(call)
    width = padded_width(s.outputs, real)
    first, last = own_steps(s, c.first, c.last)
    targets = s.steps if s.sequences != 0 else 1
    divisor = doubles_at(s.totals)[0]
    codes = integers_at(s.codes)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        place = integers_at(s.order)[c.sequence + row] if s.order != 0 else c.sequence + row
        length = integers_at(s.batch_lengths)[row]
        for t in range(first, last):
            weight = doubles_at(s.batch_weight)[row] if t < length else 0.0
            output = rows_at(s.input, real, c, input_place(s, c, t), row, width)
            d_output = rows_at(s.d_output, real, c, output_place(s, c, t), row, width)
            target = at(s.y, real, (place * targets + t) * s.outputs)
            if weight != 0.0:
                for column in range(s.columns):
                    total = 0.0
                    for j in range(s.outputs):
                        total += _value(codes[column], output[j] - target[j])
                    doubles_at(s.row_totals)[column * s.capacity + c.place + row] += weight * total / s.outputs
            if s.wants_gradient != 0:
                factor = weight / (divisor * s.outputs) if weight != 0.0 else 0.0
                for j in range(width):
                    d_output[j] = (
                        factor * _slope(codes[0], output[j] - target[j]) if j < s.outputs and weight != 0.0 else 0.0
                    )
