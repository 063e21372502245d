"""Third-party depth networks, run through transformers: table of models, weights, predictions."""
