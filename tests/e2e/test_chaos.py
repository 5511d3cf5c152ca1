"""Clients and origins that leave at any moment: nothing is left behind, and the next one is served."""
# ctest: tsan
import contextlib
import random
import threading
import time

import pytest
from support.client import Connection, format_request
from support.http import open_descriptors
from support.wait import wait_for

SEED = 20261121


def moody(connection):
    """An origin that does something else for each request, and leaves at any moment."""
    moods = random.Random(SEED + connection.index)
    while (request := connection.read_head()) is not None:
        mood = moods.randrange(14)
        if mood == 0:
            return
        if mood == 1:
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello")
            return
        if mood == 2:
            connection.answer(b"early")
        connection.read_body(request)
        if mood == 3:
            connection.reset()
            return
        if mood == 4:
            connection.send("evil\r\n\r\n")
        elif mood == 5:
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nX")
        elif mood == 6:
            connection.send("HTTP/1.1 103 Early Hints\r\n\r\n")
            time.sleep(moods.random() / 50)
            connection.answer(b"later")
        elif mood == 7:
            connection.send("HTTP/1.1 200 OK\r\n\r\n" + "a" * moods.randrange(200_000))
            return
        elif mood == 8:
            connection.answer(b"a" * moods.randrange(500_000))
        elif mood == 9 and request.header("Upgrade"):
            connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframe")
            time.sleep(moods.random() / 20)
            return
        elif mood != 2:
            connection.answer(b"ok")


UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}


def client_of(port, number):
    """One client's life: some bytes of some requests, some of the answers, and an end of some kind."""
    moods = random.Random(SEED * 7 + number)
    requests = []
    for _ in range(moods.randrange(1, 6)):
        kind = moods.randrange(6)
        if kind == 0:
            requests.append(format_request("/", "POST", body=b"b" * moods.randrange(100_000)))
        elif kind == 1:
            requests.append(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + moods.choice([b"0\r\n\r\n", b"x\r\n"]))
        elif kind == 2:
            requests.append(format_request("/", headers=UPGRADE) + b"frame")
        elif kind == 3:
            requests.append(format_request("/", "HEAD"))
        else:
            requests.append(format_request("/"))
    data = b"".join(requests)
    data = data[: moods.randrange(1, len(data) + 1)] if moods.randrange(3) == 0 else data
    with contextlib.suppress(OSError), Connection(port) as client:
        client.socket.settimeout(0.3)
        for start in range(0, len(data), step := moods.choice([7, 100, 5000, 1_000_000]) if len(data) < 5000 else 30_000):
            client.socket.sendall(data[start : start + step])
            if moods.randrange(20) == 0:
                time.sleep(0.002)
        end = moods.randrange(4)
        if end == 0:
            client.reset()
            return
        if end == 1:
            client.half_close()
        for _ in range(moods.randrange(10)):
            if not client.socket.recv(moods.choice([1, 1000, 100_000])):
                return


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_left_behind(weir, origin, workers):
    server = origin(moody)
    steady = origin()
    proxy = weir(
        f"Workers {workers}\nRequestReadTimeout header=2 body=2\nKeepAliveTimeout 2\nTimeOut 2\nProxyTimeout 2\nLogLevel crit\n"
        f"ProxyPass /steady {steady.url}\nProxyPass / {server.url}"
    )
    assert proxy.get("/steady").status == 200
    before = open_descriptors(proxy)["socket"]
    numbers = iter(range(600))
    lock = threading.Lock()

    def run():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            client_of(proxy.port, number)

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert proxy.get("/steady").status == 200
    server.stop()
    # Each worker may keep one connection to the steady origin, and pipes for the next big body.
    wait_for(lambda: open_descriptors(proxy)["socket"] <= before + workers, 20, "weir to have closed all sockets")
    assert open_descriptors(proxy).get("pipe", 0) <= 16 * workers
    assert proxy.get("/steady").status == 200
    assert proxy.running()
