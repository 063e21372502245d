"""Training of the networks; only the `train` commands import it."""
