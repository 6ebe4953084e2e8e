"""A recurrent layer; legend and layouts: :mod:`fastrnn.kernels.recurrent.buffers`."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record
from fastrnn.operations.signals import SIGNALS

SHAPE = """
    units               size     H
    gates               size     number of gates that both inputs and state enter
    inputs              size     that only inputs enter
    late                size     whose product waits: 0 or 1
    recurrents          size     that only the state enters
    vectors             size     number of the unit's own weights
    others              size     S
    use_bias            flag
    return_sequences    flag
    reads_backwards     flag
    splits_units        flag     threads share out units
    single              flag     minibatches have one row
    halves              flag     sums take the terms of their own half of the units first, then those of the other
    keeps               flag     gates and states of all steps are kept
    fused               code     of the activation that is all that a step is, or -1
    direct              flag     the old h enters the new states not by products alone
    has_lengths         flag~
    padding_first       flag
    lengths             array    (B) int64
"""

TAPES = """
    h                   array    (T + 1, B, H') the state between steps
    other               array?   (S, T + 1, B, H') the other states; without training (S, 1, B, H')
    other_size          size?    numbers of each of them
    z                   array    (T, B, z_stride) gates; a cell of one gate may have them in h; else, without training,
                                 those of a block of steps
    z_stride            size
    z_first             place?   of step 0 in z
    z_apart             size?    numbers between the tapes of the halves, for each unit of the first
    mask                array?   (B, H') of recurrent dropout
    masked              array?   (T, B, H') the state times the mask
    zone                array?   (states, T, B, H') share of the old state in the new one (zoneout), or (states, 1, H')
    zone_size           size?    numbers of each of them
    zone_row            size?    from one row to the next; 0: there is one row for all rows and steps
    segment             size     steps between stored states
    stored              array?   (segments, B, H')
    stored_other        array?   (S, segments, B, H')
    stored_size         size?    numbers of each of them
    final_place         place    of the final state
"""

STARTS = """
    start               code~    where minibatches start: FROM_ZERO, FROM_GIVEN, FROM_BEFORE, FROM_LAST
    initial             array~   (1 + S) int64: addresses of the given states (N, H), 0 for none
    order               array~   (N) int64 order of the rows, or 0
"""

ERRORS = """
    d_z                 array?   (W, B, d_stride) gradients before the activations, of the window
    d_stride            size?
    half_d_z            array?   the same of each half, one behind the other
    half_d_apart        size?    numbers between them, for each unit of the first
    passed              array?   (2, 2, passed_size) what each half's errors come to in the other's, in turn
    passed_size         size?
    carry               array?   (2, B, H') the error that flows back through h, in turn
    carry_other         array?   (S, B, H') the same for the other states
    pulled              array?   (B, H') errors that come through products, before they join the others
    wants_d_initial     flag?
    d_initial           array?   (1 + S, B, H')
"""

WEIGHTS = """
    kernel              array    (I, columns)
    recurrent_kernel    array?   (H, columns)
    bias                array?   columns of the kernel, then those of the recurrent kernel if there are recurrents
    vector              array?   (vectors) int64: addresses of the vectors (H)
    d_kernel            array?
    d_recurrent_kernel  array?
    d_bias              array?
    d_vector            array?   (vectors) int64: addresses
    packed_kernel       array?   panels, as `fastrnn.kernels.products.product` lays them out
    packed_bias         array
    packed_recurrent    array?   gates, then recurrents, then late
    packed_recurrent_bias array? of the recurrents
    packed_kernel_back  array?   transposed
    packed_recurrent_back array? transposed
    packed_joined       array?   kernel and recurrent kernel, one above the other
    packed_vector       array?   (vectors, H')
    ids                 array?   (T, B) int64: what the inputs are one-hot vectors of
    id_scale            array?   (T, B) what the vectors hold in the place of 1
"""

ROUTINES = """
    units_forward       routine  gates and states of a step
    units_backward      routine? gradients of a step
    late_forward        routine? what the late product multiplies
    late_backward       routine? the gradient of the late gate
    pack_few            routine? where units go half by half
    few_product         routine? the same
"""

RECURRENT = record("recurrent layer", SIGNALS, SHAPE, TAPES, STARTS, ERRORS, WEIGHTS, ROUTINES)

recurrent_gradients = operation("recurrent_gradients", "recurrent.gradients", RECURRENT)
recurrent_pack = operation("recurrent_pack", "recurrent.products", RECURRENT)
recurrent_forward = operation("recurrent_forward", "recurrent.recurrence", RECURRENT)
recurrent_begin_pass = operation("recurrent_begin_pass", "recurrent.recurrence", RECURRENT)
recurrent_backward = operation("recurrent_backward", "recurrent.recurrence", RECURRENT)
halves_pack = operation("halves_pack", "recurrent.halves", RECURRENT)
halves_forward = operation("halves_forward", "recurrent.halves", RECURRENT)
halves_backward = operation("halves_backward", "recurrent.halves", RECURRENT)
recurrent_begin = operation("recurrent_begin", "recurrent.states", RECURRENT)
recurrent_keep = operation("recurrent_keep", "recurrent.states", RECURRENT)
recurrent_recall = operation("recurrent_recall", "recurrent.states", RECURRENT)

FROM_ZERO, FROM_GIVEN, FROM_BEFORE, FROM_LAST = 0, 1, 2, 3
"""Where a minibatch starts: at zero, at the given initial state, at the state that the minibatch before ended with, if
there was one in this job, or at the state that is on the tapes, whoever left it there."""
JOINED_TERMS = 256
"""Inputs and units up to which one product a step takes both: as many terms stay in the panels that are in the first
cache level while all rows pass by; beyond it, inputs of many steps at once go faster by themselves."""
STEP_ROWS = 128
"""Rows times steps whose inputs are multiplied at a time: their gates stay in the second cache level."""
