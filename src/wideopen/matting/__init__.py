"""Matting: find the subject and its coverage of each pixel (paper 3.1)."""
