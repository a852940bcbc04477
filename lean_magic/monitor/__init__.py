"""The GPU sidebar's side of the server: who holds which GPU, for how long, at what cost, and letting go of it."""
