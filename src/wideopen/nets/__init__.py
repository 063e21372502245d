"""Networks. Torch tensors `*_bchw` exist only in here and in `train`."""
