"""Backbones: the contract, and the network of the handout."""
