"""An executor for AugBench: packs are trained on the nodes of a Ray cluster."""
