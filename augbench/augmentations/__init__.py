"""Augmentations: the contract, and the ones of the handout."""
