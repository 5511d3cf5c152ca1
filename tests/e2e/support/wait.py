"""Waiting for conditions, never for time; and ports nobody else uses."""
import fcntl
import os
import random
import socket
import time

from support.sockets import LISTENING, sockets_of

# Everything that waits is given this many times longer, for builds with sanitizers or under valgrind.
SLOWNESS = float(os.environ.get("WEIR_SLOWNESS", "20" if os.environ.get("WEIR_WRAPPER") else "1"))

_claims = []  # open, locked files: a port stays claimed as long as this process lives


def wait_for(condition, deadline=10.0, what=None, every=0.02):
    """Returns condition()'s first true value; fails after deadline seconds. what: said then; a text, or a function for it."""
    end = time.monotonic() + deadline * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline * SLOWNESS:.0f} s in vain: {what() if callable(what) else what or condition}")
        time.sleep(every)


def free_port():
    """A TCP port on loopback that nobody listens on, and that no other test process will be given.

    It lies below the range of ports that the kernel gives to clients. The claim is needed because two weirs with
    SO_REUSEPORT on one port would not notice each other.
    """
    directory = "/tmp/weir-test-ports"
    os.makedirs(directory, mode=0o777, exist_ok=True)
    while True:
        port = random.randrange(10000, 32000)
        claim = open(f"{directory}/{port}", "w", encoding="ascii")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port


def listens(port):
    """Whether a socket of this machine listens on the TCP port; without connecting to it."""
    return any(found.state == LISTENING for found in sockets_of(port))
