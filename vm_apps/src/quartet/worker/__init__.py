"""How every consumer works: the run loop, and writes behind it."""
