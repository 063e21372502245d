"""Disparity cleaned along the matte (paper 3.2)."""
