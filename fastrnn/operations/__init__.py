"""What the engine asks of kernels: operations by name, and the records that tell them what to work on."""
