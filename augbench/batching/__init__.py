"""What a training step sees: data in memory, subsets, and blocks of augmented batches."""
