"""What walks through a model's operations, and in which threads."""
