"""An executor for AugBench: packs are trained by jobs of a SLURM cluster."""
