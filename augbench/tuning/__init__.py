"""Tuning every arm at an equal budget: search spaces, points, and the choice; no torch."""
