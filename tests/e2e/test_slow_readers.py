"""Clients that take their response slowly: ResponseMinRate, TimeOut and ProxyTimeout, and what must not count against them."""
# ctest: exclusive
# ctest: waits
import contextlib
import re
import socket
import threading
import time

import pytest
from support.client import Closed, format_request
from support.sockets import sockets_of
from support.wait import SLOWNESS, wait_for

RATE = 10_000  # ResponseMinRate of the tests, bytes/s
WINDOW = 20  # seconds of blocked time over which it is looked at
ENDLESS = 1 << 40
PIECE = b"0123456789abcdef" * 4096
CAP = 5_120  # bytes/s: CBandSpeed 40kbps


def serving(connection):
    """Answers by the target: an endless body, one that comes slowly, a small page."""
    while (request := connection.read_request()) is not None:
        if request.target == "/endless":
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {ENDLESS}\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    connection.send(PIECE)
            return
        if request.target == "/slow":
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {ENDLESS}\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    connection.send(b"x" * 50)
                    time.sleep(0.5)
            return
        connection.answer(b"small")


class Taker(threading.Thread):
    """A client that asks for target and takes rate bytes/s of it (None: all there is; 0: nothing) until it is stopped.

    fast: so many bytes it takes at once before that, for a send queue that has grown. dropped: after how many seconds of taking
    at its rate its connection was reset, or None.
    """

    def __init__(self, proxy, target="/endless", rate=None, fast=0, host="localhost", receive_buffer=4096):
        super().__init__(daemon=True)
        self.client = proxy.connect(receive_buffer=receive_buffer)
        self.client.send(format_request(target, host=host))
        self.client.read_head()
        self.rate = rate
        self.fast = fast
        self.taken = 0
        self.dropped = None
        self.ended = threading.Event()
        self.start()

    def run(self):
        while self.taken < self.fast:
            self.taken += len(self.client.socket.recv(1 << 20))
        self.fast = self.taken  # a little more, which must not count as taken in advance
        begin = time.monotonic()
        try:
            while not self.ended.wait(0.1):
                self.take(begin)
        except ConnectionResetError:
            self.dropped = time.monotonic() - begin

    def take(self, begin):
        if self.client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
            raise ConnectionResetError  # at once, whatever has come and not been taken yet
        if self.rate == 0:
            return
        self.client.socket.settimeout(0.05)
        due = 1 << 20 if self.rate is None else int(self.fast + (time.monotonic() - begin) * self.rate - self.taken)
        if due > 0:
            with contextlib.suppress(TimeoutError):
                data = self.client.socket.recv(due)
                if not data:
                    raise ConnectionResetError
                self.taken += len(data)

    def stop(self):
        self.ended.set()
        self.join(10 * SLOWNESS)
        self.client.close()


CONFIG = f"""
TimeOut 300
ProxyTimeout 300
KeepAliveTimeout 300
LogLevel info
CustomLog access.log "%{{Host}}i %U %{{weir-decision}}x %{{weir-reason}}x"
ResponseMinRate {RATE}
<VirtualHost *:*>
ServerName localhost
ProxyPass / {{}}
</VirtualHost>
<VirtualHost *:*>
ServerName paced
CBandSpeed 40kbps 0 0
ProxyPass / {{}}
</VirtualHost>
<VirtualHost *:*>
ServerName off
ResponseMinRate 0
ProxyPass / {{}}
</VirtualHost>
"""


def test_only_those_who_are_slow_by_themselves_are_dropped(weir, origin):
    """One minute for all of them: whoever is slow is reset after a window; all the others are served on."""
    server = origin(serving)
    proxy = weir(CONFIG.replace("{}", server.url))
    idle = proxy.connect()
    assert idle.request("/").status == 200
    slow = {
        "takes nothing": Taker(proxy, rate=0),
        "takes a fifth": Taker(proxy, rate=RATE // 5),
        "takes nothing, and is paced": Taker(proxy, rate=0, host="paced"),
    }
    fine = {
        "takes four times as much, from a long queue": Taker(proxy, rate=4 * RATE, fast=50_000_000, receive_buffer=1 << 20),
        "takes twice as much": Taker(proxy, rate=2 * RATE),
        "is paced to less than the rate": Taker(proxy, host="paced"),
        "is paced, and takes hardly more than that": Taker(proxy, host="paced", rate=CAP * 11 // 10),
        "waits for a slow origin": Taker(proxy, "/slow"),
        "is not watched": Taker(proxy, rate=0, host="off"),
    }
    try:
        for what, taker in slow.items():
            wait_for(lambda taker=taker: taker.dropped is not None, 3 * WINDOW, f"the client that {what} to be dropped")
            assert taker.dropped > WINDOW - 1, f"{what}: after {taker.dropped:.1f} s already"
        time.sleep(WINDOW)
        for what, taker in fine.items():
            assert taker.dropped is None, f"the client that {what} was dropped after {taker.dropped:.1f} s"
            assert taker.rate == 0 or taker.taken > 1000, f"{what}: {taker.taken}"
        assert idle.request("/").status == 200
    finally:
        for taker in [*slow.values(), *fine.values()]:
            taker.stop()
    wait_for(lambda: proxy.file("access.log").count("refused client-slow") == len(slow), what=proxy.file("access.log"))
    assert len(re.findall("less than ResponseMinRate 10000 bytes/s", proxy.log())) == len(slow)
    wait_for(lambda: all(connection.over for connection in server.connections if connection.requests[-1].target == "/endless"), what="the origin's connections to be closed")


def stopped_at_once(proxy):
    return Taker(proxy, rate=0)


def test_timeout_counts_what_the_client_acknowledges(weir, origin):
    """A socket with megabytes queued takes nothing new for a long time, but its client has not stopped."""
    server = origin(serving)
    proxy = weir(f"TimeOut 4\nProxyTimeout 4\nProxyPass / {server.url}")
    steady = Taker(proxy, rate=100_000, fast=50_000_000, receive_buffer=1 << 20)
    stops = stopped_at_once(proxy)
    wait_for(lambda: stops.dropped is not None, 15, "the client that stops to be dropped")
    assert stops.dropped > 3.5
    time.sleep(12)
    assert steady.dropped is None, f"after {steady.dropped:.1f} s"
    steady.rate = 0
    begin = time.monotonic()
    wait_for(lambda: steady.dropped is not None, 15, "it to be dropped when it stops")
    assert time.monotonic() - begin > 1.5  # what it took last is acknowledged in steps
    for taker in (steady, stops):
        taker.stop()


@pytest.mark.parametrize("config", ["TimeOut 1\nProxyTimeout 60", "TimeOut 60\nProxyTimeout 1"], ids=["client", "origin"])
def test_a_client_that_stops_gives_its_origin_connection_back(weir, origin, config):
    """max=1: the next request gets a connection as soon as the stopped client has lost its own."""
    server = origin(serving)
    proxy = weir(f"{config}\nProxyPass / {server.url} max=1 connectiontimeout=30\nWorkers 1\n"
                 'CustomLog access.log "%U %{weir-reason}x"')  # fmt: skip
    stops = stopped_at_once(proxy)
    assert proxy.get("/", deadline=15).body == b"small"
    stops.stop()
    proxy.wait_for_log("/endless client-timeout", name="access.log")


def test_a_paced_response_outlives_all_timeouts(weir, origin):
    """Its pauses are the pacer's: neither TimeOut nor ProxyTimeout ends it."""
    server = origin(serving)
    proxy = weir(f"TimeOut 1\nProxyTimeout 1\nProxyPass / {server.url}\n<VirtualHost *:*>\nServerName localhost\nCBandSpeed 8kbps 0 0\n</VirtualHost>")
    paced = Taker(proxy)
    time.sleep(6)
    before = paced.taken
    wait_for(lambda: paced.taken > before, 5, "it to go on")
    assert paced.dropped is None
    paced.stop()


def test_a_reset_frees_what_the_kernel_holds(weir, origin):
    """A stopped client's socket is not left to the kernel with its queue for the client to acknowledge."""
    server = origin(serving)
    proxy = weir(f"TimeOut 1\nProxyPass / {server.url}")
    stops = stopped_at_once(proxy)
    port = stops.client.socket.getsockname()[1]
    wait_for(lambda: stops.dropped is not None, 10, "the client to be dropped")
    assert not sockets_of(proxy.port, port)
    stops.stop()


def test_a_tunnel_whose_client_stops(weir, origin):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        with contextlib.suppress(OSError, Closed):
            while True:
                connection.send(PIECE)

    server = origin(script)
    proxy = weir(f"TimeOut 1\nProxyTimeout 60\nProxyPass / {server.url}")
    client = proxy.connect(receive_buffer=4096)
    client.send(format_request("/", headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                                             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}))  # fmt: skip
    assert client.read_head().status == 101
    wait_for(lambda: server.connections[0].over, 15, "weir to give the tunnel up")


def test_what_waits_in_the_kernel_is_bounded(weir, origin):
    """A client that stops early leaves some hundred kB in weir's send queue, not megabytes."""
    server = origin(serving)
    proxy = weir(f"TimeOut 60\nProxyPass / {server.url}")
    stops = Taker(proxy, rate=0, fast=400_000, receive_buffer=1 << 17)
    port = stops.client.socket.getsockname()[1]

    def queued():
        return sum(found.unsent for found in sockets_of(proxy.port, port))

    wait_for(lambda: stops.taken >= 400_000, 20, "the fast part")
    wait_for(queued, 10, "something to wait")
    time.sleep(1)
    assert queued() < 1_000_000
    stops.stop()
