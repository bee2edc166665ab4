"""Corruptions: the contract, nine kinds of damage to images, and corrupted copies of test sets."""
