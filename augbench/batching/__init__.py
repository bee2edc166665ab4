"""Data in memory, subsets, and blocks of augmented batches: all that a training step sees."""
