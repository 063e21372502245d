"""Constants of the looks found on pairs of a sharp photo and a true one: the space, the objective, the study."""
