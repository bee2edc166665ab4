"""Shared by the benchmarks: running a command while watching its memory, and this machine."""

import platform
import resource
import subprocess
import sys
import threading
import time
from itertools import chain
from pathlib import Path

HERE = Path(__file__).parent


def run_watched(command, **how):
    """(seconds, CPU seconds, peak of the PSS in MB, standard output) of a whole process tree."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **how)
    peak, ended = [0], threading.Event()

    def watch():
        while not ended.wait(0.2):
            peak[0] = max(peak[0], sum(map(_pss, _tree(process.pid))))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - start
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}\n{output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, peak[0] / 1024, output


def _tree(pid):
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _tree(int(child)))]


def _pss(pid):
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def sgemm_peak():
    """GFLOP/s of one thread: the best of a few products of 1024 × 1024 matrices."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    a, best = torch.rand(1024, 1024), 0.0
    for _ in range(12):
        start = time.perf_counter()
        torch.mm(a, a)
        best = max(best, 2 * 1024**3 / (time.perf_counter() - start) / 1e9)
    torch.set_num_threads(threads)
    return best


def machine():
    """One line on where and with what."""
    import os

    import numpy
    import torch

    try:
        text = Path("/proc/cpuinfo").read_text()
        model = next(
            line.split(":")[1].strip() for line in text.splitlines() if "model name" in line
        )
    except (OSError, StopIteration):
        model = platform.processor()
    return (
        f"{os.cpu_count()} cores of {model}, {torch.backends.cpu.get_cpu_capability()}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, NumPy {numpy.__version__}"
    )


def table(header, rows):
    """Print a Markdown table; `rows` may come one by one, each is printed at once."""
    for row in chain([header, ["---"] * len(header)], rows):
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


PYTHON = sys.executable
