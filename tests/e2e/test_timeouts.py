"""Everything that waits has an end: slow heads, slow bodies, idle connections, slow origins, slow readers."""
# ctest: exclusive
# ctest: waits
import contextlib
import time

import pytest
from support.client import Closed, Late, format_request
from support.http import read_answer_and_end
from support.wait import SLOWNESS, wait_for

HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\n"


class Clock:
    """How long the block took, in seconds of an unhurried machine."""

    def __enter__(self):
        self.begin = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.begin

    def was(self, least, most):
        assert self.seconds >= least - 0.15, f"after {self.seconds:.2f} s already"
        assert self.seconds <= most * SLOWNESS, f"only after {self.seconds:.2f} s"


def trickle(client, data, piece, pause):
    """Sends pieces with pauses until the other side has closed or answered; returns how many were sent."""
    count = 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, Closed):
        for start in range(0, len(data), piece):
            client.send(data[start : start + piece])
            count += 1
            with contextlib.suppress(Late):
                client.receive(time.monotonic() + pause)
                break
    return count


# --- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", ["G", "GET / HTTP/1.1\r\n", HEAD, HEAD + "X-A: b\r\n"])
def test_a_head_that_stops(weir, origin, begun):
    server = origin()
    proxy = weir(f"RequestReadTimeout header=1\nKeepAliveTimeout 5\nProxyPass / {server.url}")
    client = proxy.connect().send(begun)
    with Clock() as clock:
        answer = read_answer_and_end(client)
    assert answer.status == 408
    assert answer.header("Connection") == "close"
    clock.was(1, 3)
    assert server.received == b""


def test_the_time_of_a_head_begins_with_its_first_byte(weir, origin):
    server = origin()
    proxy = weir(f"RequestReadTimeout header=1\nKeepAliveTimeout 10\nProxyPass / {server.url}")
    client = proxy.connect()
    time.sleep(1.5)
    assert client.request("/").status == 200
    time.sleep(1.5)
    assert client.request("/").status == 200


def test_a_head_that_trickles_below_the_rate(weir, origin):
    server = origin()
    proxy = weir(f"RequestReadTimeout header=1-10,MinRate=100\nProxyPass / {server.url}")
    client = proxy.connect()
    with Clock() as clock:
        trickle(client, HEAD + "X-A: " + "b" * 200 + "\r\n", 1, 0.1)
    clock.was(1, 3)
    assert read_answer_and_end(client).status == 408
    assert server.received == b""


def test_a_head_above_the_rate_may_take_longer(weir, origin):
    """A second more for each 50 bytes."""
    server = origin()
    proxy = weir(f"RequestReadTimeout header=1-20,MinRate=50\nProxyPass / {server.url}")
    client = proxy.connect()
    with Clock() as clock:
        trickle(client, HEAD + "X-A: " + "b" * 220 + "\r\n\r\n", 20, 0.18)
    clock.was(2, 6)
    assert client.read_response().status == 200


def test_a_head_never_takes_longer_than_the_maximum(weir, origin):
    server = origin()
    proxy = weir(f"RequestReadTimeout header=1-2,MinRate=10\nProxyPass / {server.url}")
    client = proxy.connect()
    with Clock() as clock:
        trickle(client, HEAD + "X-A: " + "b" * 2000, 20, 0.1)
    clock.was(2, 4)
    assert read_answer_and_end(client).status == 408
    assert server.received == b""


def test_the_second_head_of_a_connection_has_its_time_too(weir, origin):
    server = origin()
    proxy = weir(f"RequestReadTimeout header=1\nKeepAliveTimeout 10\nProxyPass / {server.url}")
    client = proxy.connect()
    assert client.request("/").status == 200
    client.send("GET / HT")
    with Clock() as clock:
        assert read_answer_and_end(client).status == 408
    clock.was(1, 3)


# --- bodies of requests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing, begun", [("Content-Length: 10", "hello"), ("Content-Length: 10", ""), ("Transfer-Encoding: chunked", "5\r\nhel"),
                                            ("Transfer-Encoding: chunked", "5\r\nhello\r\n"), ("Transfer-Encoding: chunked", "")])  # fmt: skip
def test_a_body_that_stops(weir, origin, framing, begun):
    server = origin()
    proxy = weir(f"RequestReadTimeout header=5 body=1\nProxyPass / {server.url}")
    client = proxy.connect().send(f"POST / HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n{begun}")
    with Clock() as clock:
        assert read_answer_and_end(client).status == 408
    clock.was(1, 3)
    wait_for(lambda: all(connection.over for connection in server.connections), what="weir to close the origin's connection")
    assert all(request.body == b"" for request in server.requests)


def test_a_body_that_trickles_below_the_rate(weir, origin):
    server = origin()
    proxy = weir(f"RequestReadTimeout body=1,MinRate=1000\nProxyPass / {server.url}")
    client = proxy.connect().send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    with Clock() as clock:
        trickle(client, "b" * 1000, 10, 0.1)
    clock.was(1, 4)
    assert read_answer_and_end(client).status == 408


def test_a_body_above_the_rate_is_taken(weir, origin):
    server = origin()
    proxy = weir(f"RequestReadTimeout body=1,MinRate=100\nProxyPass / {server.url}")
    client = proxy.connect().send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    trickle(client, "b" * 1000, 50, 0.15)
    assert client.read_response().status == 200
    assert len(server.requests[0].body) == 1000


def test_a_slow_body_holds_no_other_client(weir, origin):
    server = origin()
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    slow = [proxy.connect().send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello") for _ in range(20)]
    with Clock() as clock:
        assert proxy.get("/").status == 200
    clock.was(0, 1)
    for client in slow:
        client.send("world")
    assert [client.read_response().status for client in slow] == [200] * 20


# --- idle connections --------------------------------------------------------------------------------------------------


def test_a_connection_that_never_sends_is_closed_silently(weir):
    client = weir("KeepAliveTimeout 1").connect()
    with Clock() as clock:
        assert client.read_to_end() == b""
    clock.was(1, 3)


def test_an_idle_connection_is_closed_silently(weir, origin):
    server = origin()
    client = weir(f"KeepAliveTimeout 1\nProxyPass / {server.url}").connect()
    assert client.request("/").status == 200
    with Clock() as clock:
        assert client.read_to_end() == b""
    clock.was(1, 3)


@pytest.mark.parametrize("data", ["\r\n", "\r\n\r\n", "\r"])
@pytest.mark.parametrize("before", ["", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_an_empty_line_is_no_request_that_could_be_late(weir, origin, before, data):
    """An answer that nobody asked for would be taken for the next request's."""
    proxy = weir(f"RequestReadTimeout header=1\nCustomLog access.log combined\nProxyPass / {origin().url}")
    client = proxy.connect()
    if before:
        client.send(before).read_response()
    client.send(data)
    assert client.is_closed(10)
    assert proxy.get("/next").status == 200
    proxy.stop()
    assert len(proxy.file("access.log").splitlines()) == (2 if before else 1)


def test_each_request_begins_the_idle_time_anew(weir, origin):
    server = origin()
    client = weir(f"KeepAliveTimeout 1\nProxyPass / {server.url}").connect()
    for _ in range(4):
        assert client.request("/").status == 200
        time.sleep(0.5)
    assert client.request("/").status == 200


def test_a_slow_answer_is_no_idle_time(weir, origin):
    def script(connection):
        connection.read_request()
        time.sleep(2)
        connection.answer(b"late")

    server = origin(script)
    client = weir(f"KeepAliveTimeout 1\nRequestReadTimeout header=1 body=1\nProxyPass / {server.url}").connect()
    assert client.request("/").body == b"late"


# --- origins ---------------------------------------------------------------------------------------------------------


def silent(connection):
    connection.read_request()
    connection.wait_closed()


@pytest.mark.parametrize("config", ["ProxyTimeout 1\nProxyPass / {}", "ProxyPass / {} timeout=1", "ProxyTimeout 30\nProxyPass / {} timeout=1",
                                    "TimeOut 1\nProxyPass / {}"])  # fmt: skip
def test_an_origin_that_says_nothing(weir, origin, config):
    server = origin(silent)
    client = weir(config.replace("{}", server.url)).connect().send(HEAD + "\r\n")
    with Clock() as clock:
        assert client.read_response().status == 504
    clock.was(1, 3)
    wait_for(lambda: server.connections[0].over, what="weir to close the origin's connection")


def test_a_kept_connection_has_its_time_anew(weir, origin):
    """That of the request before is over while the connection is idle, which ends neither it nor the next request."""

    def script(connection):
        connection.read_request()
        connection.answer()
        silent(connection)

    server = origin(script)
    client = weir(f"ProxyTimeout 1\nProxyPass / {server.url}").connect()
    assert client.request("/").status == 200
    time.sleep(1.5)
    client.send(HEAD + "\r\n")
    with Clock() as clock:
        assert client.read_response().status == 504
    clock.was(1, 3)
    assert len(server.connections) == 1


def test_an_origin_that_stops_in_its_body(weir, origin):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        connection.wait_closed()

    server = origin(script)
    client = weir(f"ProxyTimeout 1\nProxyPass / {server.url}").connect().send(HEAD + "\r\n")
    with Clock() as clock, pytest.raises(Closed):
        client.read_response()
    clock.was(1, 3)
    wait_for(lambda: server.connections[0].over, what="weir to close the origin's connection")


def test_an_origin_that_goes_on_slowly_is_waited_for(weir, origin):
    """The time begins anew with each piece."""

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for letter in "hello":
            time.sleep(0.5)
            connection.send(letter)

    server = origin(script)
    assert weir(f"ProxyTimeout 1\nProxyPass / {server.url}").get("/").body == b"hello"


def test_an_origin_that_takes_no_more_of_a_body(weir, origin):
    goes_on = []

    def script(connection):
        connection.read_head()
        wait_for(lambda: goes_on, 20)

    server = origin(script)
    client = weir(f"ProxyTimeout 1\nProxyPass / {server.url}").connect()
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
    client.socket.settimeout(0.2)
    with contextlib.suppress(OSError):
        while True:
            client.socket.sendall(b"b" * 100_000)
    with Clock() as clock:
        assert client.read_response().status in (502, 504)
    clock.was(0, 4)
    goes_on.append(True)


# --- slow readers ------------------------------------------------------------------------------------------------------


def endless(connection):
    """A response of a gigabyte for whoever reads it."""
    request = connection.read_request()
    if request.target != "/big":
        connection.answer(b"small")
        return
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    with contextlib.suppress(OSError):
        for _ in range(10_000):
            connection.send(b"a" * 100_000)


def test_slow_readers_hold_no_other_client(weir, origin):
    server = origin(endless)
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    slow = [proxy.connect(receive_buffer=4096).send(HEAD.replace("/ ", "/big ") + "\r\n") for _ in range(10)]
    for client in slow:
        client.read_head()
    with Clock() as clock:
        for _ in range(5):
            assert proxy.get("/").body == b"small"
    clock.was(0, 2)


def test_a_reader_that_stops_is_dropped_after_the_timeout(weir, origin):
    server = origin(endless)
    proxy = weir(f"TimeOut 1\nProxyTimeout 30\nProxyPass / {server.url}")
    client = proxy.connect(receive_buffer=4096).send(HEAD.replace("/ ", "/big ") + "\r\n")
    client.read_head()
    with Clock() as clock:
        wait_for(lambda: server.connections[0].over, what="weir to give the slow reader up")
    clock.was(0.5, 5)


def test_a_client_that_does_not_read_its_refusal(weir):
    """Pipelined bad requests behind a window that is shut: nothing is held for ever."""
    proxy = weir("TimeOut 1\nKeepAliveTimeout 1")
    before = proxy.descriptors()
    clients = [proxy.connect(receive_buffer=4096).send("GET / HTTP/1.1\r\n\r\n" * 50) for _ in range(20)]
    wait_for(lambda: proxy.descriptors() <= before, 15, "weir to close its side")
    del clients


def test_a_time_out_of_a_host(weir, origin):
    server = origin(silent)
    proxy = weir(f"<VirtualHost *:*>\nServerName quick\nProxyTimeout 1\nProxyPass / {server.url}\n</VirtualHost>")
    with Clock() as clock:
        assert proxy.get("/", host="quick").status == 504
    clock.was(1, 3)


def test_many_connections_that_time_out_leave_nothing_behind(weir):
    proxy = weir("KeepAliveTimeout 1\nRequestReadTimeout header=1")
    before = proxy.descriptors()
    clients = [proxy.connect() for _ in range(100)]
    for client in clients[::2]:
        client.send(format_request("/")[:-2])
    wait_for(lambda: proxy.descriptors() <= before, 15, "weir to close them")
