"""What a sink answers, request by request. Tests queue failures; when none is left, the default applies."""

import threading
import time
from collections import deque


class Action:
    """kind: ok, status, partial, blackhole, close. Fields are read by the sink that understands them."""

    def __init__(self, kind="ok", code=None, message="", retry_ms=None, rejected=0, delay=0.0, headers=None):
        self.kind, self.code, self.message = kind, code, message
        self.retry_ms, self.rejected, self.delay = retry_ms, rejected, delay
        self.headers = headers or {}


OK = Action()


def status(code, message="injected by the test", retry_ms=None, headers=None):
    return Action("status", code=code, message=message, retry_ms=retry_ms, headers=headers)


def partial(rejected, message="injected by the test"):
    return Action("partial", rejected=rejected, message=message)


def slow(seconds):
    return Action("ok", delay=seconds)


def blackhole():
    """Takes the request and never answers (until the sink is stopped)."""
    return Action("blackhole")


def close():
    """Closes the connection without an answer (HTTP sinks)."""
    return Action("close")


class Plan:
    def __init__(self):
        self._lock = threading.Lock()
        self._queue = deque()
        self.default = OK
        self.stopped = threading.Event()
        self.injected = 0

    def then(self, *actions):
        with self._lock:
            self._queue.extend(actions)

    def always(self, action):
        with self._lock:
            self._queue.clear()
            self.default = action

    def next(self):
        with self._lock:
            action = self._queue.popleft() if self._queue else self.default
            if action is not OK:
                self.injected += 1
        if action.delay:
            self.stopped.wait(action.delay)
        return action

    def hold(self, still_there=lambda: True, longest=120.0):
        """Black hole: returns when the sink stops, the peer left or the bound is over."""
        end = time.monotonic() + longest
        while time.monotonic() < end and still_there() and not self.stopped.wait(0.1):
            pass
