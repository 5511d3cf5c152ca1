"""Reload and replacement under load without one failed request; limits reached and left again; 10,000 connections."""
# ctest: exclusive
import re
import resource
import signal
import socket
import subprocess
import time

import pytest
from support.client import Closed, format_request
from support.sockets import ESTABLISHED, sockets_of
from support.wait import SLOWNESS, wait_for
from support.weir import BINARY

IDLE_CONNECTIONS = 10_000
IDLE_BYTES_MAX = 4096  # resident, of weir, for each idle connection


class Load:
    """wrk in the background; check() fails when a request did."""

    def __init__(self, proxy, seconds, connections=16, path="1k.txt"):
        self.process = subprocess.Popen(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", f"{proxy.url}{path}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

        wait_for(lambda: sum(found.state == ESTABLISHED for found in sockets_of(proxy.port)) >= connections, 10, "wrk to be connected")

    def running(self):
        return self.process.poll() is None

    def check(self, at_least=100):
        output, _ = self.process.communicate(timeout=120 * SLOWNESS)
        assert "Non-2xx" not in output, output
        assert "Socket errors" not in output, output
        assert int(re.search(r"(\d+) requests in", output).group(1)) >= at_least, output


def churn(proxy, stop_at):
    """Connections of one request each; returns how many, fails at the first that is not served."""
    count = 0
    while time.monotonic() < stop_at:
        assert proxy.get("/1k.txt").status == 200
        count += 1
    return count


def raise_own_limit(wanted):
    """True when this process, and so weir, may have that many descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    except (ValueError, PermissionError):
        return False
    return True


def limit(number):
    """For Weir(preexec=): the limit of open files it starts with."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))


def sanitized():
    """Sanitizers put red zones round every allocation, and keep for a while what was freed."""
    with open(BINARY, "rb") as file:
        return b"__asan_init" in file.read() or SLOWNESS > 1


# --- under load ---


def test_50_reloads(weir, apache):
    lines = f"MaxKeepAliveRequests 0\nProxyPass / {apache.url}\n"
    proxy = weir(lines)
    load = Load(proxy, 12 * max(1, int(SLOWNESS)))
    for number in range(50):
        proxy.reload(f"Header set X-Turn {number}\n{lines}", expect="configuration reloaded")
    assert load.running(), "all reloads were under load"
    load.process.send_signal(signal.SIGINT)
    load.check()
    assert proxy.get("/").header("X-Turn") == "49"
    assert "generation 51" in proxy.log()


def test_reloads_under_new_connections(weir, apache):
    proxy = weir(f"ProxyPass / {apache.url}")
    for _ in range(10):
        proxy.send_signal(signal.SIGHUP)
        assert churn(proxy, time.monotonic() + 0.2) > 0
    wait_for(lambda: "configuration reloaded" in proxy.log(), 10)


def test_usr2_under_load(weir, apache):
    """wrk's connections are told `Connection: close` by the process that drains, and come to the new one."""
    proxy = weir(f"PidFile weir.pid\nMaxKeepAliveRequests 0\nProxyPass / {apache.url}")
    load = Load(proxy, 10 * max(1, int(SLOWNESS)))
    for _ in range(3):
        old = proxy.pid
        proxy.send_signal(signal.SIGUSR2)
        wait_for(lambda old=old: proxy.file("weir.pid").strip() not in ("", str(old)), 20, proxy.log())
        proxy.main_pid = int(proxy.file("weir.pid"))
        assert churn(proxy, time.monotonic() + 0.5) > 0
    assert load.running()
    load.process.send_signal(signal.SIGINT)
    load.check()


def test_draining_under_load_answers_all(weir, origin, connect):
    """Whoever was accepted before TERM is answered."""
    proxy = weir(f"ProxyPass / {origin().url}")
    clients = [connect(proxy.port) for _ in range(50)]
    for client in clients:
        client.send(format_request("/"))
    proxy.send_signal(signal.SIGTERM)
    for client in clients:
        assert client.read_response().status == 200
    assert proxy.wait() == 0


# --- limits ---


def test_max_connections(weir, origin, connect):
    proxy = weir(f"MaxConnections 3\nProxyPass / {origin().url}")
    clients = [connect(proxy.port) for _ in range(3)]
    for client in clients:
        assert client.request("/").status == 200
    refused = connect(proxy.port).send(format_request("/"))
    answer = refused.read_response()
    assert answer.status == 503
    assert answer.header("Retry-After") is not None
    assert answer.header("Connection") == "close"
    assert refused.is_closed()
    proxy.wait_for_log(r"MaxConnections \(3\) are open")
    for client in clients:
        assert client.request("/").status == 200, "those that are open are served on"
    clients[0].close()

    def served():
        try:
            return connect(proxy.port).request("/").status == 200
        except (Closed, OSError):
            return False

    wait_for(served, 5, "room for another")


def test_max_connections_follows_a_reload(weir, origin, connect):
    lines = f"ProxyPass / {origin().url}"
    proxy = weir(f"MaxConnections 1\n{lines}")
    first = connect(proxy.port)
    assert first.request("/").status == 200
    assert proxy.get("/").status == 503
    proxy.reload(f"MaxConnections 2\n{lines}", expect="configuration reloaded")
    wait_for(lambda: proxy.get("/").status == 200, 5, "the new limit")


def test_descriptors_used_up_and_free_again(weir, origin):
    proxy = weir(f"MaxConnections 1000\nWorkers 1\nProxyPass / {origin().url}", preexec=limit(64))
    proxy.wait_for_log(r"\[warn\].*MaxConnections 1000 may need \d+ open files; the limit is 64")
    before = proxy.descriptors()
    sockets = []
    for _ in range(100):
        sockets.append(socket.create_connection(("127.0.0.1", proxy.port)))
    proxy.wait_for_log("cannot accept connections: Too many open files")
    lines = proxy.log().count("cannot accept connections")
    time.sleep(0.6)
    assert proxy.log().count("cannot accept connections") <= lines + 3, "said once a rest, not in a loop"
    with open(f"/proc/{proxy.pid}/stat", encoding="ascii") as file:
        ticks = sum(int(field) for field in file.read().rsplit(")", 1)[1].split()[11:13])
    assert ticks < 200 * SLOWNESS, "it does not burn time while it waits"
    for sock in sockets:
        sock.close()
    assert proxy.get("/", deadline=5).status == 200
    wait_for(lambda: proxy.descriptors() <= before + 4, 10, "descriptors to be given back")


def test_idle_connections(weir, origin):
    """10,000 of them hold little memory, and others are served beside them."""
    if not raise_own_limit(IDLE_CONNECTIONS + 1000):
        pytest.skip("the limit of open files cannot be raised here")
    count = IDLE_CONNECTIONS

    proxy = weir(f"KeepAliveTimeout 300\nMaxConnections {count + 100}\nProxyPass / {origin().url}")
    assert proxy.get("/").status == 200
    before = proxy.memory()
    sockets = []
    request = format_request("/idle")
    try:
        for number in range(count):
            # Several source addresses, not to run out of ports.
            sock = socket.create_connection(("127.0.0.1", proxy.port), source_address=(f"127.0.1.{number % 8 + 1}", 0))
            sockets.append(sock)
            if number % 10 == 0:  # some were served before they idle
                sock.sendall(request)
                assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        wait_for(lambda: proxy.descriptors() >= count, 30, "all to be accepted")
        each = (proxy.memory() - before) / count
        assert each < IDLE_BYTES_MAX * (4 if sanitized() else 1), f"{each:.0f} bytes for each idle connection"
        begin = time.monotonic()
        assert proxy.get("/").status == 200
        assert time.monotonic() - begin < 1 * SLOWNESS
        sockets[0].sendall(request)
        assert sockets[0].recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        for sock in sockets:
            sock.close()
    wait_for(lambda: proxy.descriptors() < 100, 30, "all to be closed")
    assert proxy.get("/").status == 200

