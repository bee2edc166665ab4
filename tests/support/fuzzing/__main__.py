"""The fuzzer by hand: one network from its seed or its line, or a table over a range of seeds."""

from __future__ import annotations

import argparse
import collections
import re
import sys
import warnings

import torch

from fuzzing.drawing import Case, alone, draw
from fuzzing.judging import Verdict, judge, judge_seed
from fuzzing.pieces import PIECES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzzing")
    parser.add_argument("what", nargs="+", help="SEED, FIRST:END, pieces, or a line")
    parser.add_argument("--only", help='the one packing that may be chosen, such as "by vmap"')
    parser.add_argument("--shrink", action="store_true", help="make every network at fault smaller")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    what = " ".join(args.what)
    if re.fullmatch(r"\d+:\d+", what):
        return _table(*map(int, what.split(":")), args.only, args.shrink)
    if what == "pieces":
        return _pieces(args.only)
    if what.isdigit() and args.only is None:
        verdict = judge_seed(int(what))
    else:
        case = draw(int(what)) if what.isdigit() else Case.parse(what)
        verdict = judge(case, only=args.only)
    print(verdict.case.backbone(0))
    print(verdict)
    print("replayed" if verdict.replayed else "not replayed")
    if verdict.faults and args.shrink:
        print("smaller:", shrunk(verdict, args.only))
    return bool(verdict.faults)


def _table(first: int, end: int, only: str | None, shrink: bool) -> int:
    kinds: collections.Counter[str] = collections.Counter()
    reasons: collections.Counter[str] = collections.Counter()
    for seed in range(first, end):
        verdict = judge(draw(seed), only=only) if only else judge_seed(seed)
        kinds[verdict.reason.split(" (")[0] + (", replayed" if verdict.replayed else "")] += 1
        if " (" in verdict.reason:
            reasons[verdict.reason.split(" (", 1)[1].removesuffix(")")] += 1
        print(f"{seed}\t{bool(verdict.faults)}\t{verdict.reason}\t{verdict.case}", file=sys.stderr)
        if verdict.faults:
            print(f"seed {seed}: {verdict}", flush=True)
            if shrink:
                print(f"  smaller: {shrunk(verdict, only)}", flush=True)
    for counts in (kinds, reasons):
        print()
        for text, count in counts.most_common():
            print(f"{count:5} {text}")
    return 0


def _pieces(only: str | None) -> int:
    for kind in sorted(PIECES):
        for case in alone(kind, 8):
            verdict = judge(case, only=only)
            how = "replayed" if verdict.replayed else ""
            print(case, verdict.reason, how, *verdict.faults, sep="\t", flush=True)
    return 0


def shrunk(verdict: Verdict, only: str | None) -> Verdict:
    """The same kind of fault in a network as plain as possible."""
    assert isinstance(verdict.case, Case)
    kind = verdict.faults[0].split()[0]
    for simpler in verdict.case.simpler():
        if not simpler.trains():
            continue  # it is no network without this piece
        other = judge(simpler, only=only)
        if other.faults and other.faults[0].split()[0] == kind:
            return shrunk(other, only)
    return verdict


if __name__ == "__main__":
    raise SystemExit(main())
