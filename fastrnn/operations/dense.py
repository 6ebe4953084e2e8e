"""The dense layer."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record
from fastrnn.operations.signals import SIGNALS

DENSE = record(
    "dense layer",
    SIGNALS,
    """
    units               size     O
    use_bias            flag
    activate            routine? (source, target, count): nothing for linear
    slope               routine? (d_output, kept, count): by what it is applied to, in place
    pre                 array?   (steps, B, padded O) what an activation is applied to that is derived from it
    kernel              array    (I, O)
    bias                array?   (O)
    d_kernel            array?
    d_bias              array?
    packed_kernel       array    panels
    packed_bias         array
    packed_kernel_back  array?   transposed
    """,
)

dense_pack = operation("dense_pack", "layers.dense", DENSE)
dense_forward = operation("dense_forward", "layers.dense", DENSE)
dense_backward = operation("dense_backward", "layers.dense", DENSE)
dense_gradients = operation("dense_gradients", "layers.dense", DENSE)
sigmoid_forward = operation("sigmoid_forward", "layers.probabilities", DENSE)
softmax_forward = operation("softmax_forward", "layers.probabilities", DENSE)
softmax_backward = operation("softmax_backward", "layers.probabilities", DENSE)
