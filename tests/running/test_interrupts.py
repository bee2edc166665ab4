"""One interrupt ends a run in order, however often the user presses."""

import signal

import pytest

from augbench.running import interrupts
from augbench.running.interrupts import one_interrupt


@pytest.fixture(autouse=True)
def _usual():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_interrupt_counts_and_those_on_its_heels_do_not():
    ended = []

    def run():
        with one_interrupt():
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                signal.raise_signal(signal.SIGINT)
                ended.append("in order")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert ended == ["in order"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_ended_nothing_can_be_repeated(monkeypatch):
    monkeypatch.setattr(interrupts, "_PATIENCE", 0.0)
    with one_interrupt():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)


def test_a_handler_of_somebody_else_s_stays():
    seen = []
    signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    with one_interrupt():
        signal.raise_signal(signal.SIGINT)
    assert seen == [signal.SIGINT]
