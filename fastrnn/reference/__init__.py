"""The mathematics of fastrnn, slow and obvious: NumPy, float64, loops, one equation a line.

Every fast kernel is tested against these functions; they share no code with the kernels and import nothing but NumPy.

Legend: N sequences in a batch, T steps, I inputs, H units, O outputs; arrays are batch-first; a gradient is called
``d_`` + the name of what it belongs to. Functions read their arguments and return new arrays.
"""
