"""Reports of a study: the terminal, figures, one page, comparisons and exports; no torch.

They are made of the sections in `sections/`, one file each.
"""
