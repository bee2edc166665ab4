"""AugBench: when labels are scarce, which augmentation helps, where, and by how much?"""

from __future__ import annotations

__version__ = "0.1.0"
