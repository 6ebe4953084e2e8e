"""The table that ``model.summary()`` prints."""

from __future__ import annotations

from fastrnn.layers import SimpleRNN
from fastrnn.network import Network


def table(network: Network) -> str:
    """Return layers, output shapes and numbers of parameters as Keras shows them."""
    rows = [("Layer (type)", "Output Shape", "Param #")]
    sequences = True
    for name, layer, size in zip(network.names, network.layers, network.input_sizes, strict=True):
        sequences = layer.return_sequences if isinstance(layer, SimpleRNN) else sequences
        shape = f"(None, None, {layer.output_size})" if sequences else f"(None, {layer.output_size})"
        rows.append((f"{name} ({type(layer).__name__})", shape, f"{layer.count_params(size):,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    bar = "=" * len(lines[0])
    size = network.flat.itemsize * network.count
    amount = f"{size} B" if size < 1024 else f"{size / 1024:.2f} KB" if size < 1024**2 else f"{size / 1024**2:.2f} MB"
    return "\n".join([lines[0], bar, *lines[1:], bar, f"Total params: {network.count:,} ({amount})"])
