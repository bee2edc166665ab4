"""Executors, which run packs of cells: in this process, or in worker processes."""
