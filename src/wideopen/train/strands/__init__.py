"""Draws hair strand by strand with its exact matte, as training data that no photo's matte can provide."""
