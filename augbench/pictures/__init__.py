"""Pictures of what augmentations do to images: made by applying them, kept beside a store, drawn.

`making` applies an augmentation to training images (with torch), `archive` keeps the result for
reports (without), and `drawing` makes figures of it.
"""
