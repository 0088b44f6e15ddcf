"""The network between the relay and the broker, in a process of its own: a rig that forks has no threads."""

import contextlib
import ctypes
import os
import signal
import time

from rig.proxy import Proxy

from soak.child import PR_SET_PDEATHSIG
from soak.control import Control

THROUGH, CUT, REFUSE, BLACKHOLE, CORRUPT, DELAY = range(6)
PULSE = 0.005
LATE = 0.05
"""Seconds that each piece is held in DELAY."""


class Network:
    """Passes connections to `port` on to `target`. `turn` changes what it does from then on."""

    def __init__(self, target: int) -> None:
        self._control = Control()
        self._pid = os.fork()
        if not self._pid:
            with contextlib.suppress(BaseException):
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                _serve(target, self._control)
            os._exit(1)
        while not self._control.left:
            time.sleep(PULSE)
        self.port = self._control.left

    def turn(self, how: int) -> None:
        """One of the words above; it holds a few milliseconds later."""
        self._control.armed = how

    def close(self) -> None:
        """End it."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0


def _serve(target: int, control: Control) -> None:
    now = THROUGH
    with Proxy(target, seed=os.getpid()) as proxy:
        control.left = proxy.port
        acts = {
            THROUGH: proxy.through,
            CUT: proxy.cut,
            REFUSE: proxy.refuse,
            BLACKHOLE: proxy.blackhole,
            CORRUPT: proxy.corrupt,
            DELAY: lambda: proxy.delay(LATE),
        }
        while True:
            if control.armed != now:
                now = control.armed
                acts[now]()
            time.sleep(PULSE)
