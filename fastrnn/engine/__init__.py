"""From a model, a shape and a purpose to buffers and a list of compiled operations, and their running.

Begin with `fastrnn.engine.plan`: a plan asks `fastrnn.engine.lowering` for every layer's records and operations,
`fastrnn.engine.columns` for those of the loss and `fastrnn.engine.update` for those of the optimizer, and runs them.
"""
