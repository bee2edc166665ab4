"""Child processes that start in a blink: copies of one that has imported torch and matplotlib.

An interpreter takes seconds to import them, and the suite would start hundreds. A copy is a
process of its own all the same: what ends, hangs or changes it is no other's affair. Where a test
is about how the real ones start, it takes the fixture `fresh_interpreters`.
"""

import contextlib
import gc
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LONGEST = 1 << 17  # bytes of a request

POSSIBLE = hasattr(os, "pidfd_open") and hasattr(socket, "send_fds")


class Template:
    """The process that others are copied from; it starts when the first of them is asked for.

    It stands for the module `subprocess` in `augbench.executors.child`.
    """

    PIPE = subprocess.PIPE

    def __init__(self):
        self._socket = None
        self._one_at_a_time = threading.Lock()

    def Popen(self, command, *, stdin, stdout, stderr, env, cwd, start_new_session):
        """A copy that does what `command` would; it has what is used of a `subprocess.Popen`."""
        assert command[1:] == ["-P", "-c", "from augbench.executors.child import serve; serve()"]
        assert (stdin, stdout, start_new_session) == (self.PIPE, self.PIPE, True)
        with self._one_at_a_time:
            if self._socket is None:
                self._start()
            return _Copy(self._socket, stderr, env, cwd or os.getcwd())

    def _start(self):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = f"import template; template.be({theirs.fileno()}, {os.getpid()})"
        paths = [str(_ROOT), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        started = threading.Event()

        def keep():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
                cwd=_ROOT,
                start_new_session=True,
            )
            started.set()
            self._process.wait()

        # The kernel ends it with the thread that started it, so not in one of a test's.
        threading.Thread(target=keep, daemon=True).start()
        started.wait()
        theirs.close()

    def close(self):
        """End it, and with it the copies that are left."""
        if self._socket is not None:
            self._socket.close()
            self._process.wait()


class _Copy:
    """A copy, as its parent has it."""

    def __init__(self, template, stderr, env, cwd):
        its_in, stdin = os.pipe()
        stdout, its_out = os.pipe()
        status, its_status = os.pipe()
        request = b"\0".join(os.fsencode(one) for one in (cwd, *(f"{k}={env[k]}" for k in env)))
        socket.send_fds(
            template,
            [request],
            [its_in, its_out, 2 if stderr is None else stderr.fileno(), its_status],
        )
        for one in (its_in, its_out, its_status):
            os.close(one)
        self.stdin, self.stdout = os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb")
        self._status = os.fdopen(status)
        self.pid, self._code = int(self._status.readline()), None
        self._waited_for = threading.Lock()

    def wait(self):
        """Its exit code, or its signal below 0."""
        with self._waited_for:
            if self._code is None:
                # Nothing is said where the template itself was ended, and its copies with it.
                self._code = int(self._status.readline() or -signal.SIGKILL)
                self._status.close()
            return self._code


def be(descriptor, parent):
    """Be the template: import what children use, then copy this process for each request."""
    from augbench.executors import child

    end_with = child._end_with
    end_with(parent)
    import augbench.executors.isolated
    import augbench.executors.worker
    import augbench.pictures.making
    import augbench.training.engine  # noqa: F401
    from augbench.reports import drawing

    drawing._warm_up()
    drawing._warm_up = lambda: None  # each copy is warm
    gc.freeze()
    requests, watched = socket.socket(fileno=descriptor), selectors.DefaultSelector()
    watched.register(requests, selectors.EVENT_READ)
    template = os.getpid()
    while True:
        for key, _ in watched.select():
            if key.fileobj is not requests:
                _tell_end(*key.data)
                watched.unregister(key.fd)
                os.close(key.fd)
                continue
            request, given, _, _ = socket.recv_fds(requests, _LONGEST, 4)
            if not request:
                return
            pid = os.fork()
            if pid == 0:
                watched.close()
                requests.close()
                child._end_with = lambda _: end_with(template)  # which ends with the parent
                _be_copy(request, given, child.serve)
            for one in given[:3]:
                os.close(one)
            watched.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, given[3]))


def _tell_end(pid, status):
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        os.write(status, b"%d\n" % code)
    os.close(status)


def _be_copy(request, given, serve):
    try:
        os.setsid()
        os.write(given[3], b"%d\n" % os.getpid())
        for number, one in enumerate(given[:3]):
            os.dup2(one, number)
        os.closerange(3, 4096)  # what the template holds of others
        cwd, *env = map(os.fsdecode, request.split(b"\0"))
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(one.split("=", 1) for one in env)
        serve()
    finally:
        os._exit(70)
