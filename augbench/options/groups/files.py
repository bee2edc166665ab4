"""The options under the heading `Files and plugins`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from pathlib import Path

from augbench.options.kinds import Folder, Names, OptionalFolder, Switch
from augbench.options.option import Shorthand, option_table

__all__ = ["FILES", "Files"]

FILES = "Files and plugins"


@option_table
class Files:
    """Options of all that a study reads and writes."""

    _: KW_ONLY
    out: Folder = Folder(
        "-o",
        "--out",
        default=Path("augbench-results"),
        title="folder of the store",
        help="Folder of the store and the figures.",
        group=FILES,
    )
    keep_backbones: Switch = Switch(
        shorthands=(Shorthand("--keep-backbones", True),),
        default=False,
        title="backbones are kept",
        help="Keep pretrained backbones as files in the folder `backbones` of --out, and pretrain "
        "none that is there; needs the package safetensors.",
        group=FILES,
    )
    data_root: OptionalFolder = OptionalFolder(
        "--data-root",
        default=None,
        none_words="what AUGBENCH_DATA names",
        variable="AUGBENCH_DATA",
        title="folder of the data sets",
        help="Folder of the data sets, in torchvision's layout.",
        group=FILES,
    )
    download: Switch = Switch(
        shorthands=(Shorthand("--download", True),),
        default=False,
        title="download",
        help="Download a torchvision data set that is not there.",
        group=FILES,
    )
    plugins: Names = Names(
        "-p",
        "--plugin",
        empty=True,
        metavar="FILE_OR_MODULE",
        default=(),
        title="plugins",
        help="Load unpackaged plugins; `no:NAME` leaves an installed one out.",
        group=FILES,
    )
    strict_plugins: Switch = Switch(
        shorthands=(Shorthand("--strict-plugins", True),),
        default=False,
        variable="AUGBENCH_STRICT_PLUGINS",
        title="strict plugins",
        help="Stop at the first plugin that fails to load.",
        group=FILES,
    )
