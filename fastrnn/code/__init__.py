"""Machine code: for which processor, where it is kept, how it comes into a process; without Numba, which makes it."""
