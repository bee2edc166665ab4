"""The options under the heading `Where it runs`; none of them changes what a cell gives."""

from __future__ import annotations

from dataclasses import KW_ONLY

from augbench.options.kinds import Choice, Name, OptionalCount, OptionalName, OptionalNumber, Switch
from augbench.options.option import Shorthand, option_table

__all__ = ["MACHINE", "Machine"]

MACHINE = "Where it runs"


@option_table
class Machine:
    """Options of the machine that computes a study."""

    _: KW_ONLY
    engine: Choice = Choice(
        "--engine",
        words=("auto", "packed", "reference"),
        default="auto",
        title="engine",
        help="Train cells together (packed) or one by one (reference).",
        group=MACHINE,
    )
    workers: OptionalCount = OptionalCount(
        "--workers",
        least=0,
        most=1024,
        default=None,
        none_words="one per core, or one per GPU",
        title="workers",
        help="Worker processes; 0 for none, all in this process.",
        group=MACHINE,
    )
    device: Name = Name(
        "--device",
        what="a torch device",
        metavar="DEVICE",
        default="auto",
        title="device",
        help="cpu, cuda, cuda:1, mps; several GPUs: cuda:0,cuda:1 or cuda:all; auto: a GPU if any.",
        group=MACHINE,
    )
    executor: OptionalName = OptionalName(
        "--executor",
        what="an executor",
        default=None,
        none_words="worker processes of this machine",
        title="executor",
        help="Where packs are trained: `augbench list executors` names them.",
        group=MACHINE,
    )
    cell_timeout: OptionalNumber = OptionalNumber(
        "--cell-timeout",
        default=None,
        none_words="many times what other cells took, and at least 5 minutes",
        title="time limit of a cell",
        help="Seconds that a cell may take; a cell that takes longer fails.",
        group=MACHINE,
    )
    ignore_claims: Switch = Switch(
        shorthands=(Shorthand("--ignore-claims", True),),
        default=False,
        title="claims of other runs are ignored",
        help="Train cells even if another run on the same store is training them.",
        group=MACHINE,
    )
