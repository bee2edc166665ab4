"""The protocol's parts: study and cell, random streams, batches, mixing, loss, measurement."""
