"""Light above white: gain maps, and the standard picture that belongs to it."""
