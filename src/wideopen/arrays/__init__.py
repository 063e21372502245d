"""The operators: pure functions on arrays, one folder each, a readable reference in every folder."""
