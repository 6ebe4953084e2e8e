"""The time loop of every recurrent layer, forward and backward; a cell brings one step of each.

Legend: ``B`` rows in the minibatch, ``T`` steps, ``W`` steps of a window, ``I`` inputs, ``H`` units, ``G`` gates;
``H'`` is padded to whole vectors. All buffers are time first.

=====================  ====================  ======================================================================
buffer                 shape                 content
=====================  ====================  ======================================================================
``h``, ``cell``        (T + 1, B, H')        the tapes: the state, and the LSTM's cell state, between steps
``z``                  (T, B, z_stride)      the gates of every step (Elman: the tape ``h`` itself)
``masked``             (T, B, H')            with recurrent dropout, the state times ``mask`` (B, H')
``d_z``                (W, B, d_stride)      gradient before the activations, of the window
``carry``              (2, B, H')            the error that flows back through the state, in turn
``carry_cell``         (B, H')               the same for the cell state
``packed_*``           panels                the parameters as :func:`fastrnn.kernels.product.pack` lays them out
=====================  ====================  ======================================================================

A layer that reads forwards finds the state before step t at place t of its tapes, the one after it at t + 1; a layer
that reads backwards the other way round. The driver counts steps in the order of the layer, ``[first, last)``; here
``t`` is always a step of the input. A step ``t >= lengths[row]`` leaves the row's state as it is.

Threads share out the rows or, where ``splits_units``, the units: then each multiplies by its own columns of the weights
and all meet once a step. Rows past the last whole ``ROW_UNIT`` go one by one, whichever thread has them.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.activations import LINEAR
from fastrnn.kernels.helper import helper, spliced
from fastrnn.kernels.operation import at, meet, operation, record, share
from fastrnn.kernels.product import ROW_UNIT, ROWS, call_gram, call_joined_product, call_pack, call_product
from fastrnn.kernels.row import call_row_product
from fastrnn.kernels.rows import add, add_column_sums, add_numbers, copy, copy_numbers, fill, padded_width
from fastrnn.kernels.signals import SIGNALS, d_input_place, d_output_place, input_place, rows_at
from fastrnn.kernels.vector import fields, integers_at, lanes, load, offset, real_of, splat, store

RECURRENT = record(
    SIGNALS
    + "units gates activation recurrent_activation use_bias reset_after has_lengths reads_backwards splits_units "
    "return_sequences start initial initial_cell final_place wants_d_initial lengths order ids id_scale "
    "h cell z z_stride z_first keeps masked mask pulled d_z d_stride carry carry_cell d_initial d_initial_cell "
    "kernel recurrent_kernel bias d_kernel d_recurrent_kernel d_bias packed_kernel packed_recurrent packed_bias "
    "packed_recurrent_bias packed_kernel_back packed_recurrent_back packed_joined segment stored stored_cell"
)
STEP_ROWS = 128
"""Rows times steps whose inputs are multiplied at a time: their gates stay in the second cache level."""
JOINED_TERMS = 256
"""Inputs and units up to which one product a step takes both."""
FROM_ZERO, FROM_GIVEN, FROM_BEFORE = 0, 1, 2
"""Where a minibatch starts: at zero, at the given initial state, or at the state that the minibatch before ended
with."""


# ------------------------------------------------------------------------------------------------ places and shares


@helper
def place_before(s, c, t):
    """Place on the tapes of the state before step ``t``."""
    return t - c.origin + s.reads_backwards


@helper
def place_after(s, c, t):
    """Place on the tapes of the state after step ``t``."""
    return t - c.origin + 1 - s.reads_backwards


@helper
def cell_rows(real, s, c, place, low):
    """Rows of the tape ``cell``, which prediction does not keep."""
    return rows_at(s.cell, real, c, place if s.keeps != 0 else 0, low, padded_width(s.units, real))


@helper
def gate_rows(real, s, c, t, low):
    """Rows of the gates of step ``t`` on their tape."""
    return rows_at(s.z, real, c, t - c.origin + s.z_first, low, s.z_stride)


@helper
def own_part(real, s, c):
    """What this thread computes: ``(low, rows, first, count)``, rows from ``low`` on and units from ``first`` on."""
    if s.splits_units != 0:
        first, last = share(s.units, lanes(real), c.thread, c.threads)
        return 0, c.rows, first, last - first
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    return low, high - low, 0, s.units


@helper
def synchronise(s, c):
    """Wait until all threads have computed their units of a step."""
    if s.splits_units != 0:
        meet(c.barrier, c.threads)


@helper
def is_held(s, t, row):
    """Whether ``row`` does not take step ``t``."""
    return s.has_lengths != 0 and t >= integers_at(s.lengths)[row]


@helper
def takes_part(s, c, t, row):
    """Whether step ``t`` of ``row`` belongs to this backward pass: a row that ends early counts from its own end."""
    if s.has_lengths == 0:
        return True
    length = integers_at(s.lengths)[row]
    if s.reads_backwards != 0:
        return t < length
    return t < length and t >= min(c.pass_end, length) - c.depth


# ------------------------------------------------------------------------------------------------ products


@helper
def times(real, s, a, a_stride, packed, start, out, out_stride, rows, terms, columns, accumulate):
    """``out = start + a @ matrix`` row by row, or ``out += a @ matrix``."""
    whole = rows // ROW_UNIT * ROW_UNIT
    if whole > 0:
        call_product(
            s.product, a, a_stride, 0, packed, start, out, out_stride, 0, whole, 1, columns, terms, accumulate
        )  # fmt: skip
    for row in range(whole, rows):
        own = offset(out, row * out_stride)
        begin = own if accumulate else start
        call_row_product(s.row_product, offset(a, row * a_stride), packed, begin, own, LINEAR, terms, columns)


@helper
def gate_products(real, s, a, a_stride, packed, start, z, rows, gates, first, count, accumulate):
    """The products of ``gates`` neighbouring gates: this thread's rows, or its units of each gate."""
    if s.splits_units == 0:
        times(real, s, a, a_stride, packed, start, z, s.z_stride, rows, s.units, gates * s.units, accumulate)
        return
    for gate in range(gates):
        place = gate * s.units + first
        times(
            real, s, a, a_stride, offset(packed, s.units * place), offset(start, place), offset(z, place), s.z_stride,
            rows, s.units, count, accumulate,
        )  # fmt: skip


@helper
def joined_gates(real, s, c, t, before, z, low, rows):
    """``z = [x h] [W; U] + b`` for a step, in one product."""
    inputs = rows_at(s.input, real, c, input_place(s, c, t), low, s.input_stride)
    call_joined_product(
        s.joined_product, inputs, s.input_stride, before, padded_width(s.units, real), at(s.packed_joined, real),
        at(s.packed_bias, real), z, s.z_stride, rows, s.gates * s.units, s.input_size, s.units,
    )  # fmt: skip


@helper
def pack_gates(real, s, c, source, terms, gates, packed):
    """Pack the columns of ``gates`` neighbouring gates of a matrix (terms, G H), as `gate_products` reads them."""
    stride = s.gates * s.units
    if s.splits_units == 0:
        call_pack(s.pack, source, stride, 1, terms, gates * s.units, packed, c.thread, c.threads)
        return
    first, last = share(s.units, lanes(real), c.thread, c.threads)
    for gate in range(gates):
        place = gate * s.units + first
        call_pack(s.pack, offset(source, place), stride, 1, terms, last - first, offset(packed, terms * place), 0, 1)


@helper
def pack_back(real, s, c, source, terms, packed):
    """Pack ``terms`` neighbouring columns of a matrix (H, G H), transposed, as `carry_back` reads them."""
    stride = s.gates * s.units
    if s.splits_units == 0:
        call_pack(s.pack, source, 1, stride, terms, s.units, packed, c.thread, c.threads)
        return
    first, last = share(s.units, lanes(real), c.thread, c.threads)
    own = offset(source, first * stride)
    call_pack(s.pack, own, 1, stride, terms, last - first, offset(packed, terms * first), 0, 1)


@helper
def carry_back(real, s, d_z, packed, out, rows, terms, first, count, accumulate):
    """``out = d_z @ matrix`` (or ``+=``) for this thread's units of the state, ``out`` (rows, H')."""
    times(
        real, s, d_z, s.d_stride, offset(packed, terms * first), at(s.nothing, real), offset(out, first),
        padded_width(s.units, real), rows, terms, count, accumulate,
    )  # fmt: skip


@operation(RECURRENT)
@njit
def recurrent_pack(real, call, spec):
    """Lay the parameters out for the products; once a minibatch, after the update."""
    s, c = fields(spec), fields(call)
    recurrent, columns = at(s.recurrent_kernel, real), s.gates * s.units
    if s.packed_joined != 0:
        pack_gates(real, s, c, at(s.kernel, real), s.input_size + s.units, s.gates, at(s.packed_joined, real))
    else:
        pack_gates(real, s, c, recurrent, s.units, s.gates, at(s.packed_recurrent, real))
    if s.trains != 0:
        pack_back(real, s, c, recurrent, columns, at(s.packed_recurrent_back, real))
    if s.use_bias != 0 and c.thread == 0:
        copy_numbers(at(s.bias, real), at(s.packed_bias, real), columns)
    pack_kernel(real, s, c)


@helper
def pack_kernel(real, s, c):
    """Lay the kernel out, forward and backward."""
    kernel, columns = at(s.kernel, real), s.gates * s.units
    if s.ids == 0 and s.packed_joined == 0:
        pack_gates(real, s, c, kernel, s.input_size, s.gates, at(s.packed_kernel, real))
    if s.wants_d_input != 0:
        packed = at(s.packed_kernel_back, real)
        call_pack(s.pack, kernel, 1, columns, columns, s.input_size, packed, c.thread, c.threads)


# ------------------------------------------------------------------------------------------------ forward


@operation(RECURRENT)
@njit
def recurrent_begin(real, call, spec):
    """Write the initial state of this thread's rows."""
    s, c = fields(spec), fields(call)
    _begin(real, s, c, s.h, s.initial, 1)
    if s.cell != 0:
        _begin(real, s, c, s.cell, s.initial_cell, s.keeps)


@helper
def _begin(real, s, c, tape, initial, keeps):
    width = padded_width(s.units, real)
    first = s.steps * s.reads_backwards * keeps
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        state = rows_at(tape, real, c, first, row, width)
        if s.start == FROM_BEFORE and c.batch > 0:
            copy(rows_at(tape, real, c, s.final_place * keeps, row, width), state, width)
        else:
            fill(state, width, splat(real, 0.0))
            if s.start != FROM_ZERO and initial != 0:
                place = c.sequence + row
                if s.order != 0:
                    place = integers_at(s.order)[place]
                given = at(initial, real, place * s.units)
                for j in range(s.units):
                    state[j] = given[j]


@operation(RECURRENT)
@njit
def recurrent_keep(real, call, spec):
    """Begin a segment where the one before ended, and store the state there in ``stored`` (segments, B, H')."""
    s, c = fields(spec), fields(call)
    _keep(real, s, c, s.h, s.stored)
    if s.cell != 0:
        _keep(real, s, c, s.cell, s.stored_cell)


@helper
def _keep(real, s, c, tape, stored):
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    begin, count = rows_at(tape, real, c, 0, low, width), (high - low) * width
    if c.origin > 0:
        copy(rows_at(tape, real, c, s.segment, low, width), begin, count)
    copy(begin, rows_at(stored, real, c, c.origin // s.segment, low, width), count)


@operation(RECURRENT)
@njit
def recurrent_recall(real, call, spec):
    """Begin a segment at its stored state."""
    s, c = fields(spec), fields(call)
    _recall(real, s, c, s.h, s.stored)
    if s.cell != 0:
        _recall(real, s, c, s.cell, s.stored_cell)


@helper
def _recall(real, s, c, tape, stored):
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    source = rows_at(stored, real, c, c.origin // s.segment, low, width)
    copy(source, rows_at(tape, real, c, 0, low, width), (high - low) * width)


@spliced
def run_forward(step, real, call, spec):
    """Run the window's steps: block by block the products with the inputs, then ``step`` after step."""
    s, c = fields(spec), fields(call)
    low, rows, first, count = own_part(real, s, c)
    if rows == 0:
        return
    most = max(1, STEP_ROWS // (rows if s.keeps != 0 else c.rows))
    for begin in range(c.first, c.last, most):
        steps = min(most, c.last - begin)
        earliest = begin if s.reads_backwards == 0 else s.steps - begin - steps
        z = gate_rows(real, s, c, earliest if s.keeps != 0 else c.origin, low)
        if s.packed_joined == 0:
            _read_inputs(real, s, c, earliest, steps, z, low, rows, first, count)
        for i in range(steps):
            ahead = i if s.reads_backwards == 0 else steps - 1 - i
            step(real, s, c, earliest + ahead, offset(z, ahead * c.rows * s.z_stride), low, rows, first, count)
            synchronise(s, c)


@helper
def _read_inputs(real, s, c, t, steps, z, low, rows, first, count):
    """``z = x W + b`` for ``steps`` steps from ``t`` on."""
    bias, z_step = at(s.packed_bias, real), c.rows * s.z_stride
    if s.ids != 0:
        _read_ids(real, s, c, t, steps, z, low, rows, first, count)
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, t), low, s.input_stride)
    packed, terms = at(s.packed_kernel, real), s.input_size
    groups, columns = (1, s.gates * s.units) if s.splits_units == 0 else (s.gates, count)
    for group in range(groups):
        place = group * s.units + first
        call_product(
            s.product, inputs, s.input_stride, c.rows * s.input_stride, offset(packed, terms * place),
            offset(bias, place), offset(z, place), s.z_stride, z_step, rows, steps, columns, terms, 0,
        )  # fmt: skip


@helper
def _read_ids(real, s, c, t, steps, z, low, rows, first, count):
    """As `_read_inputs` for one-hot vectors: rows of ``W``, times ``id_scale`` if that is given."""
    kernel, bias, columns = at(s.kernel, real), at(s.packed_bias, real), s.gates * s.units
    groups, inside = (1, columns) if s.splits_units == 0 else (s.gates, count)
    for i in range(steps):
        for row in range(rows):
            place = (t - c.origin + i) * c.rows + low + row
            weights = offset(kernel, integers_at(s.ids)[place] * columns)
            scale = at(s.id_scale, real)[place] if s.id_scale != 0 else real_of(real, 1.0)
            out = offset(z, (i * c.rows + row) * s.z_stride)
            for group in range(groups):
                begin = group * s.units + first
                for j in range(begin, begin + inside, lanes(real)):
                    store(out, j, load(bias, j) + load(weights, j) * scale)


@helper
def state_read(real, s, c, t, low, rows, first, count):
    """The state that the products of step ``t`` read: the one before it, times the mask of recurrent dropout."""
    width = padded_width(s.units, real)
    before = rows_at(s.h, real, c, place_before(s, c, t), low, width)
    if s.mask == 0:
        return before
    masked = rows_at(s.masked, real, c, t - c.origin, low, width)
    mask = at(s.mask, real, low * width)
    for row in range(rows):
        for j in range(row * width + first, row * width + first + count, lanes(real)):
            store(masked, j, load(before, j) * load(mask, j))
    synchronise(s, c)
    return masked


@helper
def hold(real, s, c, tape, t, row, first, count):
    """Leave a row's state as it is over step ``t``."""
    width = padded_width(s.units, real)
    before = rows_at(tape, real, c, place_before(s, c, t), row, width)
    after = rows_at(tape, real, c, place_after(s, c, t), row, width)
    copy(offset(before, first), offset(after, first), count)


# ------------------------------------------------------------------------------------------------ backward


@operation(RECURRENT)
@njit
def recurrent_begin_pass(real, call, spec):
    """Before a backward pass: no error comes from beyond its last step."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    zero = splat(real, 0.0)
    fill(rows_at(s.carry, real, c, _half(s, _time(s, c.last - 1)), low, width), (high - low) * width, zero)
    if s.carry_cell != 0:
        fill(at(s.carry_cell, real, low * width), (high - low) * width, zero)


@helper
def _time(s, place):
    """The step of the input that the layer takes at ``place`` in its own order."""
    return place if s.reads_backwards == 0 else s.steps - 1 - place


@helper
def _half(s, t):
    """Which half of ``carry`` step ``t`` reads; it writes the other."""
    return t & 1


@spliced
def run_backward(step, real, call, spec):
    """Carry the errors back through the window's steps (back-propagation through time), then to the input.

    ``step`` turns the carried error plus that of the output into ``d_z`` and the error carried on.
    """
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, rows, first, count = own_part(real, s, c)
    window = max(c.first, c.pass_first)
    if rows == 0 or window >= c.last:
        return
    for place in range(c.last - 1, window - 1, -1):
        t = _time(s, place)
        carry = rows_at(s.carry, real, c, _half(s, t), low, width)
        earlier = rows_at(s.carry, real, c, 1 - _half(s, t), low, width)
        has_error = (place >= c.errors_from or s.is_top == 0) and (s.return_sequences != 0 or place == s.steps - 1)
        if has_error:
            d_output = rows_at(s.d_output, real, c, _error_place(s, c, t), low, width)
            for row in range(rows):
                add(offset(d_output, row * width + first), offset(carry, row * width + first), count)
        goes_on = place > c.pass_first or s.wants_d_initial != 0
        step(real, s, c, t, window, carry, earlier, goes_on, low, rows, first, count)
        if goes_on and s.has_lengths != 0:
            for row in range(rows):
                if is_held(s, t, low + row):
                    copy(offset(carry, row * width + first), offset(earlier, row * width + first), count)
        if place == 0 and s.wants_d_initial != 0:
            for row in range(rows):
                begin = row * width + first
                add(offset(earlier, begin), at(s.d_initial, real, low * width + begin), count)
                if s.carry_cell != 0:
                    begin += low * width
                    add(at(s.carry_cell, real, begin), at(s.d_initial_cell, real, begin), count)
    synchronise(s, c)
    if s.wants_d_input != 0:
        _pass_to_input(real, s, c, window)


@helper
def _error_place(s, c, t):
    return d_output_place(s, c, t) if s.return_sequences != 0 else 0


@helper
def d_z_place(s, c, window, t):
    """Place in ``d_z`` of step ``t``: its distance from the earliest step of the input in the window."""
    return t - _earliest(s, c, window)


@helper
def _earliest(s, c, window):
    return window if s.reads_backwards == 0 else s.steps - c.last


@helper
def _pass_to_input(real, s, c, window):
    """``d_input = d_z W^T`` (or ``+=``) for the window; the threads share out rows."""
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    t = _earliest(s, c, window)
    d_z = rows_at(s.d_z, real, c, 0, low, s.d_stride)
    back = padded_width(s.input_size, real)
    d_input = rows_at(s.d_input, real, c, d_input_place(s, c, t), low, back)
    call_product(
        s.product, d_z, s.d_stride, c.rows * s.d_stride, at(s.packed_kernel_back, real), at(s.nothing, real),
        d_input, back, c.rows * back, high - low, c.last - window, s.input_size,
        s.gates * s.units, s.whole_d_input,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ gradients


@helper
def gradient_window(real, s, c):
    """The window of the weight gradients: ``(terms, earliest step, d_z)``."""
    window = max(c.first, c.pass_first)
    return (c.last - window) * c.rows, _earliest(s, c, window), at(s.d_z, real)


@helper
def add_gram(real, s, c, a, a_stride, a_size, d_z, out, out_stride, columns, terms):
    """``out += a^T d_z``; the threads share out the rows of ``out``."""
    first, last = share(a_size, ROWS, c.thread, c.threads)
    scratch = at(c.scratch, real)
    call_gram(
        s.gram, a, a_stride, first, last, a, 0, 0, 0, 0, d_z, s.d_stride, out, out_stride, columns, terms, scratch
    )


@helper
def mask_carry(real, s, earlier, low, rows, first, count):
    """Recurrent dropout: the error carried on through the masked state."""
    if s.mask == 0:
        return
    width = padded_width(s.units, real)
    mask = at(s.mask, real, low * width)
    for row in range(rows):
        for j in range(row * width + first, row * width + first + count, lanes(real)):
            store(earlier, j, load(earlier, j) * load(mask, j))


@helper
def add_weight_gradients(real, s, c, t, d_z, columns, terms):
    """``[dW; dU] += [x h]^T d_z`` for the first ``columns`` columns, which lie one below the other in memory."""
    if s.ids != 0:
        _add_to_rows(real, s, c, t, d_z, at(s.d_kernel, real), columns, terms)
    h, width, stride = recurrent_input(real, s, c, t), padded_width(s.units, real), s.gates * s.units
    first, last = share(s.units, ROWS, c.thread, c.threads)
    if s.ids != 0:
        call_gram(
            s.gram, h, width, first, last, h, 0, 0, 0, 0, d_z, s.d_stride, at(s.d_recurrent_kernel, real), stride,
            columns, terms, at(c.scratch, real),
        )  # fmt: skip
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, t), 0, s.input_stride)
    begin, end = share(s.input_size, ROWS, c.thread, c.threads)
    call_gram(
        s.gram, inputs, s.input_stride, begin, end, h, width, first, last, s.input_size, d_z, s.d_stride,
        at(s.d_kernel, real), stride, columns, terms, at(c.scratch, real),
    )  # fmt: skip


@helper
def add_input_gradients(real, s, c, t, d_z, first, columns, terms):
    """``dW += x^T d_z`` for some neighbouring columns, from ``first`` on."""
    out, stride = at(s.d_kernel, real, first), s.gates * s.units
    if s.ids != 0:
        _add_to_rows(real, s, c, t, d_z, out, columns, terms)
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, t), 0, s.input_stride)
    add_gram(real, s, c, inputs, s.input_stride, s.input_size, d_z, out, stride, columns, terms)


@helper
def add_bias_gradients(real, s, c, d_z, terms):
    """``db += sum of d_z``."""
    if s.use_bias != 0:
        add_column_sums(d_z, terms, s.d_stride, at(s.d_bias, real), s.gates * s.units, c.thread, c.threads)


@helper
def recurrent_input(real, s, c, t):
    """Rows of the states that the products of step ``t`` read."""
    width = padded_width(s.units, real)
    if s.mask != 0:
        return rows_at(s.masked, real, c, t - c.origin, 0, width)
    return rows_at(s.h, real, c, place_before(s, c, t), 0, width)


@helper
def _add_to_rows(real, s, c, t, d_z, out, columns, terms):
    """``dW[id] += d_z``, the gradient for one-hot vectors; the threads share out the columns."""
    first, last = share(columns, lanes(real), c.thread, c.threads)
    begin = (t - c.origin) * c.rows
    for k in range(terms):
        place = integers_at(s.ids)[begin + k] * s.gates * s.units
        scale = at(s.id_scale, real)[begin + k] if s.id_scale != 0 else real_of(real, 1.0)
        add_numbers(offset(d_z, k * s.d_stride + first), offset(out, place + first), scale, last - first)


@operation(RECURRENT)
@njit
def recurrent_gradients(real, call, spec):
    """Add the window's weight gradients: ``dW += x^T d_z``, ``dU += h_prev^T d_z``, ``db += sum of d_z``."""
    s, c = fields(spec), fields(call)
    terms, t, d_z = gradient_window(real, s, c)
    if terms <= 0:
        return
    add_weight_gradients(real, s, c, t, d_z, s.gates * s.units, terms)
    add_bias_gradients(real, s, c, d_z, terms)
