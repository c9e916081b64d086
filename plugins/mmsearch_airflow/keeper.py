"""Stands between a task of Airflow and its stage, so that neither outlives the other.

`python keeper.py PARENT COMMAND…`, leader of its own process group. The stage runs in that group;
asked to end, or left behind by PARENT (Linux tells it; elsewhere nobody does), the keeper ends the
group. It leaves the way the stage left: the same exit code, or the same signal. Standard library
only: it costs milliseconds and needs no environment.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
from types import FrameType

GRACE_SECONDS = 3  # Airflow itself kills a task five seconds after it has asked
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def signal_on_death_of_parent(which: signal.Signals) -> None:
    """Ask Linux to send this process a signal when the process that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(which))


def end_group(_number: int, _frame: FrameType | None) -> None:
    """Ask everybody in the group to end, and see to it after a while."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this process is in the group too
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    signal.alarm(GRACE_SECONDS)
    os.killpg(0, signal.SIGTERM)


def leave_like(code: int) -> int:
    """End by the signal that ended the stage, or answer its exit code."""
    if code >= 0:
        return code
    # the stage may have dumped its core; once is enough
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -code not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 128 - code


def main(parent: int, command: list[str]) -> int:
    """Run the command in this group, and leave the way it leaves."""
    signal.signal(signal.SIGTERM, end_group)
    signal_on_death_of_parent(signal.SIGTERM)
    if os.getppid() != parent:  # gone before we could ask
        return 128 + signal.SIGTERM
    # one thread only, so code between fork and exec is safe
    stage = subprocess.Popen(command, preexec_fn=lambda: signal_on_death_of_parent(signal.SIGKILL))
    code = stage.wait()
    asked_to_end = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGKILL if asked_to_end else signal.SIGTERM)  # what the stage left running
    return leave_like(code)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
