"""Data sets: the contract, the embedded glyphs, torchvision's sets, image folders, subsets."""
