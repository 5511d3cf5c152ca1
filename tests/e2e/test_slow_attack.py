"""A small slowhttptest in each of its modes, and a flood of connections, while a well-behaved client goes on being served.

The real thing, with its figures, is tests/bench/attacks.
"""
# ctest: exclusive
import contextlib
import shutil
import socket
import subprocess
import time

import pytest
from support.client import Closed, format_request
from support.wait import SLOWNESS, wait_for

SECONDS = 5
CONNECTIONS = 200
P99 = 1.0  # generous: sanitizers, and a machine that does other things too

MODES = {
    "headers": ["-H", "-i", "1", "-x", "24"],
    "body": ["-B", "-i", "1", "-s", "8192", "-x", "10"],
    "read": ["-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32"],
}


def serving(connection):
    """Bodies are read; /large is 300 kB."""
    while (request := connection.read_head()) is not None:
        with contextlib.suppress(Closed):
            connection.read_body(request)
        connection.answer(b"x" * 300_000 if request.target == "/large" else b"small")


def latencies(proxy, until):
    """Of a client that asks 20 times a second on kept connections; every answer must come."""
    found = []
    client = proxy.connect()
    while time.monotonic() < until:
        begin = time.monotonic()
        answer = client.request("/small")
        found.append(time.monotonic() - begin)
        assert answer.body == b"small"
        if answer.header("Connection") == "close":
            client = proxy.connect()
        time.sleep(0.05)
    return sorted(found)


def check(found):
    assert len(found) > 10
    assert found[int(len(found) * 0.99)] < P99 * SLOWNESS, found[-10:]


@pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="slowhttptest is not installed")
@pytest.mark.parametrize("mode", MODES)
def test_slowhttptest(weir, origin, mode):
    server = origin(serving)
    proxy = weir(f"RequestReadTimeout header=20 body=20\nProxyPass / {server.url}")
    before = proxy.descriptors()
    target = proxy.url + ("large" if mode == "read" else "small")
    command = ["slowhttptest", *MODES[mode], "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-l", str(SECONDS + 2), "-v", "0", "-u", target]
    attack = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: proxy.descriptors() > before + CONNECTIONS // 2, 10, "the attack")
        check(latencies(proxy, time.monotonic() + SECONDS - 1))
    finally:
        attack.terminate()
        attack.wait(20)
    wait_for(lambda: proxy.descriptors() <= before + CONNECTIONS // 4, 20, "weir to let go of what the attack held")


def test_connections_that_come_at_once(weir, origin):
    server = origin(serving)
    proxy = weir(f"ProxyPass / {server.url}")
    sockets = []
    for number in range(2 * CONNECTIONS):
        one = socket.create_connection(("127.0.0.1", proxy.port), 5 * SLOWNESS)
        sockets.append(one)
        if number % 2:
            one.sendall(format_request("/small"))
    server.wait_for_requests(CONNECTIONS, 20)  # the origin is a Python of many threads: its own haste is not what is measured
    try:
        check(latencies(proxy, time.monotonic() + 2))
    finally:
        for one in sockets:
            one.close()
