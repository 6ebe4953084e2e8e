"""Signals: what every layer's record says of what it reads and writes; see :mod:`fastrnn.kernels.layers.signals`."""

from __future__ import annotations

SIGNALS = """
    steps               size     T
    sequences           flag     the layer works on every step, else on the last output alone
    is_top              flag     only errors of the steps from errors_from on enter a pass; else a recurrent layer above
                                 hands them down for all steps of the pass
    trains              flag     a backward pass follows
    nothing             array    a row of zeros
    input               array    (steps, B, input_stride)
    input_size          size     I
    input_stride        size
    input_first         place    of step 0
    input_moves         flag     that last output lies on a tape, whose beginning moves with origin
    wants_d_input       flag?
    d_input             array?   of the input's stride
    whole_d_input       code?    WINDOW, WHOLE or EVERY
    output              array?   (steps, B, padded outputs)
    d_output            array?
    whole_d_output      code?
    pack                routine  `fastrnn.kernels.products.product.pack`, and so on
    product             routine
    joined_product      routine
    row_product         routine
    gram                routine?
"""
"""Fields of every layer's record."""

WINDOW, WHOLE, EVERY = 0, 1, 2
"""What ``whole_d_input`` and ``whole_d_output`` say: a window's steps, those since ``origin``, or those of the whole
input, whatever ``origin`` is."""
