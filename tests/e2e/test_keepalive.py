"""How long connections live: the client's (KeepAlive, MaxKeepAliveRequests) and the origin's (the pool)."""
# ctest: tsan
import contextlib
import os
import signal
import socket
import threading

import pytest
from support.client import format_request
from support.http import table
from support.origin import answering, response
from support.sockets import has_read_all
from support.wait import wait_for


@pytest.fixture(name="front")
def front_fixture(weir, origin):
    """front(config, *scripts): weir with one worker before an origin; returns both."""

    def start(config="", *scripts, parameters="", **options):
        server = origin(*scripts, **options)
        return weir(f"Workers 1\n{config}\nProxyPass / {server.url} {parameters}"), server

    return start


# --- the client's connection -------------------------------------------------------------------------------------------


def test_a_connection_serves_many_requests(front):
    proxy, server = front()
    client = proxy.connect()
    for number in range(50):
        answer = client.request(f"/{number}")
        assert answer.body == b"ok"
        assert "close" not in (answer.header("Connection") or "")
    assert [request.target for request in server.requests] == [f"/{number}" for number in range(50)]
    assert len(server.connections) == 1


def test_the_100th_request_is_the_last_by_default(front):
    proxy, _ = front()
    client = proxy.connect()
    for number in range(1, 101):
        answer = client.request("/")
        assert ((answer.header("Connection") or "") == "close") == (number == 100), number
    assert client.is_closed()


def test_max_keep_alive_requests(front):
    proxy, _ = front("MaxKeepAliveRequests 3")
    client = proxy.connect()
    assert [client.request("/").header("Connection") == "close" for _ in range(3)] == [False, False, True]
    assert client.is_closed()


def test_max_keep_alive_requests_0_has_no_end(front):
    proxy, _ = front("MaxKeepAliveRequests 0")
    client = proxy.connect()
    for _ in range(250):
        assert "close" not in (client.request("/").header("Connection") or "")


def test_keep_alive_off(front):
    proxy, _ = front("KeepAlive Off")
    client = proxy.connect()
    assert client.request("/").header("Connection") == "close"
    assert client.is_closed()


@pytest.mark.parametrize("value", ["close", "Close", "x, close", "keep-alive, close", "close,,"])
def test_a_client_that_asks_for_close(front, value):
    proxy, _ = front()
    client = proxy.connect()
    answer = client.request("/", headers={"Connection": value})
    assert answer.header("Connection") == "close"
    assert client.is_closed()


def test_an_http_1_0_client_is_closed_unless_it_asks(front):
    proxy, _ = front()
    client = proxy.connect()
    assert client.request("/", version="HTTP/1.0", headers={"Connection": "Keep-Alive"}).status == 200
    assert client.request("/", version="HTTP/1.0").status == 200
    assert client.is_closed()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_the_connection_stays_after_every_method(front, method):
    proxy, _ = front()
    client = proxy.connect()
    for _ in range(3):
        assert client.request("/", method, body=b"hello" if method in ("POST", "PUT") else None).status == 200


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "404 Not Found", "500 Internal Server Error", "301 Moved"])
def test_the_connection_stays_after_every_status(front, status):
    answer = f"HTTP/1.1 {status}\r\n" + ("" if status[:3] in ("204", "304") else "Content-Length: 0\r\n") + "\r\n"
    proxy, _ = front("", answer)
    client = proxy.connect()
    for _ in range(3):
        assert client.request("/").status == int(status[:3])


def test_the_connection_stays_after_answers_of_weir_s_own(weir):
    proxy = weir("Redirect /old http://localhost/new\n<Location /no>\nRequire all denied\n</Location>")
    client = proxy.connect()
    for _ in range(3):
        assert client.request("/old").status == 302
        assert client.request("/no").status == 403
        assert client.request("/no", "HEAD").status == 403
        assert client.request("/nowhere").status == 404


def test_the_connection_stays_after_502_503_and_504(weir, origin, connect):
    def silent(connection):
        connection.read_request()
        connection.wait_closed()

    bad, slow, gone = origin(b"evil\r\n\r\n"), origin(silent), origin()
    gone.stop()
    proxy = weir(f"ProxyTimeout 1\nProxyPass /502 {bad.url}\nProxyPass /503 {gone.url}\nProxyPass /504 {slow.url}")
    client = connect(proxy.port)
    for status in (502, 503, 504, 502):
        assert client.request(f"/{status}").status == status


def test_an_unread_body_does_not_become_the_next_request(weir):
    """An answer of weir's own before the body was read: the body is skipped, or the connection closed."""
    proxy = weir("")
    client = proxy.connect()
    client.send(format_request("/nowhere", "POST", body=format_request("/smuggled")) + format_request("/second"))
    assert client.read_response().status == 404
    rest = client.send(format_request("/last", headers={"Connection": "close"})).read_to_end()
    assert rest.count(b"HTTP/1.1 404") in (0, 2), rest


# --- the origin's connections ------------------------------------------------------------------------------------------


def test_clients_share_the_origin_s_connections(front):
    proxy, server = front()
    for _ in range(10):
        assert proxy.get("/").status == 200
    assert len(server.connections) == 1


def test_two_requests_at_once_need_two_connections(front):
    goes_on = []

    def script(connection):
        while connection.read_request() is not None:
            wait_for(lambda: goes_on)
            connection.answer()

    proxy, server = front("", script)
    clients = [proxy.connect().send(format_request("/")) for _ in range(5)]
    server.wait_for_requests(5)
    goes_on.append(True)
    assert [client.read_response().status for client in clients] == [200] * 5
    assert len(server.connections) == 5
    for _ in range(5):
        assert proxy.get("/").status == 200
    assert len(server.connections) == 5


def test_an_origin_that_says_close_is_not_used_again(front):
    proxy, server = front("", response(headers={"Connection": "close"}))
    for _ in range(3):
        assert proxy.get("/").status == 200
    assert len(server.connections) == 3


def test_an_http_1_0_origin(front):
    proxy, server = front("", answering(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", close=True))
    client = proxy.connect()
    for _ in range(3):
        assert client.request("/").body == b"ok"
    assert len(server.connections) == 3


def test_an_http_1_0_origin_that_keeps_alive(front):
    proxy, server = front("", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
    for _ in range(3):
        assert proxy.get("/").body == b"ok"
    assert len(server.connections) == 1


def test_disablereuse(front):
    proxy, server = front(parameters="disablereuse=On")
    for _ in range(3):
        assert proxy.get("/").status == 200
    assert len(server.connections) == 3
    wait_for(lambda: all(connection.over for connection in server.connections))


def test_ttl(front):
    proxy, server = front(parameters="ttl=1")
    assert proxy.get("/").status == 200
    assert proxy.get("/").status == 200
    assert len(server.connections) == 1
    wait_for(lambda: server.connections[0].over or proxy.get("/").status == 200 and len(server.connections) > 1, 10, every=1.5)
    assert proxy.get("/").status == 200
    assert len(server.connections) >= 2


def test_max_connections_to_an_origin(front):
    """max= is for each worker: the third request waits until one of two connections is free."""
    running, most = [], []
    lock = threading.Lock()

    def script(connection):
        while connection.read_request() is not None:
            with lock:
                running.append(connection)
                most.append(len(running))
            wait_for(lambda: len(server.requests) >= 2)
            with lock:
                running.remove(connection)
            connection.answer()

    proxy, server = front("", script, parameters="max=2")
    clients = [proxy.connect().send(format_request("/")) for _ in range(8)]
    assert [client.read_response().status for client in clients] == [200] * 8
    assert max(most) <= 2
    assert len(server.connections) == 2


def test_an_origin_that_was_restarted(front):
    proxy, server = front()
    assert proxy.get("/").status == 200
    server.stop()
    wait_for(lambda: server.connections[0].over)
    assert proxy.get("/").status == 503
    server.start()
    assert proxy.get("/").status == 200


def test_a_unix_socket(weir, origin, directory):
    server = origin(path=f"{directory}/origin.sock")
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    for _ in range(3):
        assert proxy.get("/a?b").body == b"ok"
    assert len(server.connections) == 1
    assert server.requests[0].target == "/a?b"


def test_what_an_idle_origin_says_unasked_answers_nobody(front):
    """Such as a 408 before it closes. weir learns of it and of the next request in the same turn of its loop."""

    def script(connection):
        while (request := connection.read_request()) is not None:
            connection.answer(request.target.encode())

    proxy, server = front("", script)
    for number in range(20):
        client = proxy.connect()
        assert client.request("/before").body == b"/before"
        wait_for(lambda: has_read_all(proxy.port, client.socket))
        os.kill(proxy.pid, signal.SIGSTOP)
        try:
            with contextlib.suppress(OSError):  # not all of weir stops at once: it may still see this, and close
                server.connections[-1].send(response(b"unasked", "408 Request Timeout"))
                if number % 2:
                    server.connections[-1].socket.shutdown(socket.SHUT_RDWR)
            client.send(format_request("/asked"))
        finally:
            os.kill(proxy.pid, signal.SIGCONT)
        assert client.read_response().body == b"/asked"


@pytest.mark.parametrize("version, config", table(
    ("the-last-by-configuration", "HTTP/1.1", "MaxKeepAliveRequests 1"),
    ("ends-with-the-connection", "HTTP/1.0", ""),
))  # fmt: skip
def test_an_answer_that_ends_the_connection_survives_the_next_request(front, version, config):
    """The client did not know that the connection would end: what it sends behind must not destroy the answer."""
    body = bytes(100000)
    whole = b"HTTP/1.1 200 OK\r\n\r\n" if version == "HTTP/1.0" else f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    proxy, _ = front(f'{config}\nCustomLog log "%U"', answering(whole + body, close=version == "HTTP/1.0"))
    client = proxy.connect(receive_buffer=4096)
    client.send(f"GET /first {version}\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
    proxy.wait_for_log("/first", name="log")  # all of it is the kernel's
    client.send(format_request("/second"))
    wait_for(lambda: has_read_all(proxy.port, client.socket))
    head, got = client.read_to_end().split(b"\r\n\r\n", 1)
    assert b"Connection: close" in head
    assert len(got) == len(body)


def test_all_who_wait_for_a_place_learn_that_the_origin_is_down(weir, origin, directory):
    """One of them is woken when the place comes free, and finds no origin: then it is the next one's turn."""

    def script(connection):
        connection.read_request()
        wait_for(lambda: connection.origin.goes_on)

    server = origin(script, path=f"{directory}/origin.sock")
    server.goes_on = False
    proxy = weir(f"Workers 1\nProxyTimeout 300\nProxyPass / {server.url} max=1 retry=0")
    clients = [proxy.connect().send(format_request(f"/{number}")) for number in range(4)]
    server.wait_for_requests(1)
    wait_for(lambda: all(has_read_all(proxy.port, client.socket) for client in clients))
    server.stop(connections=False)
    os.unlink(server.path)
    server.goes_on = True
    assert sorted(client.read_response().status for client in clients) == [502, 503, 503, 503]
