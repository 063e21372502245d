"""Hair drawn strand by strand, with its exact matte: training data that no photo's matte can give."""
