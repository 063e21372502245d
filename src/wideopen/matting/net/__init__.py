"""The matting network (paper 3.1). Torch tensors `*_bchw` exist only here, in `matting.engine` and in `train`."""
