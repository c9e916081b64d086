"""Child processes that open what strangers sent: their time and memory are bounded, and they do not
outlive who started them."""

import atexit
import ctypes
import importlib
import multiprocessing
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import psutil
from pebble import ProcessFuture, ProcessPool

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
T = TypeVar("T")


def confine(memory: int, modules: Sequence[str]) -> None:
    """Let this process take so many bytes of address space more than it has with these modules
    loaded, so that what asks for more gets a MemoryError; and let it go with the process that it
    was forked from, even out of a loop in C."""
    for module in modules:
        with suppress(ImportError):  # whoever needs it says so better
            importlib.import_module(module)
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    allowed = psutil.Process().memory_info().vms + memory
    if most != resource.RLIM_INFINITY:
        allowed = min(allowed, most)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # of a crash the exit code is enough
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


class ConfinedPool:
    """Confined processes that wait for work. They stay warm between calls, and are replaced when
    they die. All pools fork them from one process, which has loaded the modules of the first
    pool."""

    def __init__(
        self,
        *,
        processes: int,
        memory: int,
        modules: Sequence[str],
        calls: int = 0,
    ) -> None:
        """
        :param memory: what a call may take, in bytes of address space.
        :param modules: what a call imports, which is loaded before and counts for nobody.
        :param calls: after which a process is replaced, so that a leak stays small; 0: never.
        """
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(modules))
        self._pool = ProcessPool(
            max_workers=processes,
            max_tasks=calls,
            initializer=confine,
            initargs=[memory, modules],
            context=context,
        )
        # else a child that is just being started complains in the log
        atexit.register(self.end)

    @property
    def working(self) -> bool:
        """False once the pool broke: it will answer nothing more."""
        return bool(self._pool.active)

    def start(self, work: Callable[..., T], *args: object, seconds: float) -> ProcessFuture[T]:
        """Let a process do ``work``; the future's TimeoutError after ``seconds``, ProcessExpired if
        the process died of it. RuntimeError where the pool broke."""
        future: ProcessFuture[T] = self._pool.schedule(work, args=list(args), timeout=seconds)
        return future

    def end(self) -> None:
        """Stop all processes, also those at work."""
        atexit.unregister(self.end)
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()
