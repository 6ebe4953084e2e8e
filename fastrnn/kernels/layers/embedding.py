"""The embedding ``y_t = E[id_t]``: rows of a matrix, gathered; the gradient touches only the rows used."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import d_output_place, error_steps, output_place, rows_at
from fastrnn.kernels.machine.rows import add_numbers, copy_numbers, padded_width
from fastrnn.kernels.machine.vector import fields, integers_at, lanes, offset, real_of
from fastrnn.kernels.machine.work import at, share
from fastrnn.operations.products import ROW_UNIT


@njit
def embedding_forward(real, call, spec):
    """Copy this thread's rows of the window."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        for t in range(c.first, c.last):
            place = integers_at(s.ids)[(t - c.origin) * c.rows + row]
            output = rows_at(s.output, real, c, output_place(s, c, t), row, width)
            copy_numbers(at(s.embeddings, real, place * s.units), output, s.units)


@njit
def embedding_gradients(real, call, spec):
    """``dE[id] += d_output`` for the steps whose errors enter the pass; the threads share out the columns."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    first_column, last_column = share(s.units, lanes(real), c.thread, c.threads)
    first, last = error_steps(s, c)
    for t in range(first, last):
        ids = (t - c.origin) * c.rows
        for row in range(c.rows):
            d_output = rows_at(s.d_output, real, c, d_output_place(s, c, t), row, width)
            target = at(s.d_embeddings, real, integers_at(s.ids)[ids + row] * s.units)
            add_numbers(
                offset(d_output, first_column), offset(target, first_column), real_of(real, 1.0),
                last_column - first_column,
            )  # fmt: skip
