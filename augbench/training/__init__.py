"""How cells are trained: one by one (`reference`, the protocol itself) or together (`packed`)."""
