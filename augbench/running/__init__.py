"""Computing what a study lacks: packs are dealt, claimed, trained by an executor, and stored."""
