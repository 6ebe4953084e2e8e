"""Everything that is compiled, and nothing else: plain numbers and addresses in, plain numbers out."""
