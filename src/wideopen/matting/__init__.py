"""Matting: who is the subject, and how much of each pixel belongs to it (paper 3.1)."""
