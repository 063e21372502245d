"""Disparity maps: from metric depth, from the matte alone, and corrected along the matte.

Maps are (H, W) float32 in [0, 1], 1 = nearest.
"""
