"""The table that ``model.summary()`` prints."""

from __future__ import annotations

from fastrnn.engine.network import Network
from fastrnn.layers import Stateful


def table(network: Network) -> str:
    """Return layers, output shapes and numbers of parameters as Keras shows them."""
    rows = [("Layer (type)", "Output Shape", "Param #")]
    sequences = True
    sizes = zip(network.input_sizes, network.widths[1:], strict=True)
    for name, layer, (inputs, outputs) in zip(network.names, network.layers, sizes, strict=True):
        sequences = layer.return_sequences if isinstance(layer, Stateful) else sequences
        shape = f"(None, None, {outputs})" if sequences else f"(None, {outputs})"
        rows.append((f"{name} ({type(layer).__name__})", shape, f"{layer.count_params(inputs):,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    bar = "=" * len(lines[0])
    size = network.flat.itemsize * network.count
    amount = f"{size} B" if size < 1024 else f"{size / 1024:.2f} KB" if size < 1024**2 else f"{size / 1024**2:.2f} MB"
    return "\n".join([lines[0], bar, *lines[1:], bar, f"Total params: {network.count:,} ({amount})"])
