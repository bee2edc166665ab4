"""Training of cells: one by one (`reference`, the protocol itself) or together (`engine`)."""
