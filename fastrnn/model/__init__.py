"""The model that users hold: layers with weights, what it predicts, its gradients, its stream."""
