"""What a minibatch is beside the layers: rows gathered, losses, the update of the weights."""
