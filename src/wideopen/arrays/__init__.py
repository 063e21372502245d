"""Array operators: pure functions, each with a readable reference."""
