"""Everything that is compiled, and nothing else: plain numbers and addresses in, plain numbers out.

Where to begin: :mod:`fastrnn.kernels.machine.work` says what a kernel is, :mod:`fastrnn.kernels.jobs.driver` how a
list of them becomes training, :mod:`fastrnn.kernels.recurrent.buffers` how a recurrent layer lies in memory and
:mod:`fastrnn.kernels.recurrent.recurrence` its time loop. All numbers are computed on vectors,
:mod:`fastrnn.kernels.machine.vector`; most of the time goes to :mod:`fastrnn.kernels.products.tiles`.
"""
