"""Child processes that open what strangers sent: their memory is bounded, and they do not outlive
who started them."""

import ctypes
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def confine(memory: int) -> None:
    """Bound the address space of this process, in bytes, so that what asks for more gets a
    MemoryError; and go with the process that it was forked from, even out of a loop in C."""
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    allowed = memory if most == resource.RLIM_INFINITY else min(memory, most)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # of a crash the exit code is enough
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
