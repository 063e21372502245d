"""The lens benchmark: ray-traced scenes with exact truth, and every method judged against it."""
