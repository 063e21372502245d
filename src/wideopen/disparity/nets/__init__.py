"""Depth networks of others, run through transformers: rows of models, their weights, predictions."""
