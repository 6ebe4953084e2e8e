"""The recurrent layers: their time loop, products, states and gradients."""
