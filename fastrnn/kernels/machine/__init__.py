"""What vectors, the processor and the compiler can do, and where compiled code is kept."""
