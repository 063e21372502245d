"""Both looks in torch, differentiable."""
