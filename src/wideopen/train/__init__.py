"""Training of the networks; imported only by the `train` commands."""
