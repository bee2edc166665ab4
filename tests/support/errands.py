"""Errands for idle workers."""

import os


def count(message, emit):
    for number in range(message):
        emit(number)


def dies(message, emit):
    emit(message)
    os._exit(7)


def raises(message, emit):
    emit(message)
    raise RuntimeError("lost its way")


def shouts(message, emit):
    print(message)
