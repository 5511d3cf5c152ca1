"""Waiting for conditions, never for time; and ports nobody else uses."""
import fcntl
import os
import random
import socket
import time

# Everything that waits is given this many times longer, for builds with sanitizers or under valgrind.
SLOWNESS = float(os.environ.get("WEIR_SLOWNESS", "20" if os.environ.get("WEIR_WRAPPER") else "1"))

_claims = []  # open, locked files: a port stays claimed as long as this process lives


def wait_for(condition, deadline=10.0, what=None, every=0.02):
    """Returns condition()'s first true value; fails after deadline seconds."""
    end = time.monotonic() + deadline * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline * SLOWNESS:.0f} s in vain: {what or condition}")
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
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                        return True
        except FileNotFoundError:
            pass
    return False
