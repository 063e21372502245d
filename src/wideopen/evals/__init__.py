"""Comparison of pictures with the truth: pairs on disk, measures, alignment, reports.

Everything here measures; nothing changes how photos are rendered. Measured pictures are display-encoded sRGB, (H, W, 3)
float32 clipped to [0, 1], as a viewer sees them.
"""
