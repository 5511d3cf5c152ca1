"""Clients that reset their connection before they are answered: they cost the origin little, and others do not wait for it."""
# ctest: tsan
import os
import signal
import socket

from support.client import Connection
from support.origin import answering, response
from support.wait import wait_for

REQUEST = "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_who_has_left_already_is_not_asked_for(weir, origin):
    server = origin()
    proxy = weir(f"CustomLog access.log \"%r %>s %X\"\nProxyPass / {server.url}", workers=1)
    os.kill(proxy.pid, signal.SIGSTOP)  # so that they are gone before they are accepted
    try:
        for _ in range(20):
            connection = Connection(proxy.port)
            connection.send(REQUEST)
            connection.reset()
    finally:
        os.kill(proxy.pid, signal.SIGCONT)
    assert proxy.get("/").status == 200
    assert len(server.connections) == 1
    wait_for(lambda: proxy.file("access.log").count("GET /page HTTP/1.1") == 20, 10, "a line for each of them")
    assert proxy.file("access.log").count(" X\n") == 20


def how_it_ended(ends):
    """A script that reads a request, answers it with nothing, and notes how weir ends the connection."""

    def script(connection):
        connection.read_request()
        try:
            ends.append("closed" if connection.socket.recv(1) == b"" else "more")
        except ConnectionResetError:
            ends.append("reset")

    return script


def leave(proxy, server, request, count):
    connection = Connection(proxy.port)
    connection.send(request)
    server.wait_for_requests(count)
    connection.reset()


def test_the_origin_learns_at_once(weir, origin):
    ends = []
    server = origin(how_it_ended(ends), how_it_ended(ends), answering(response()))
    proxy = weir(f"ProxyPass / {server.url}", workers=1)
    leave(proxy, server, REQUEST, 1)
    wait_for(lambda: ends == ["reset"], 10, f"the origin's connection is reset, {ends}")
    leave(proxy, server, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi", 2)
    wait_for(lambda: ends == ["reset", "closed"], 10, f"a request that may have changed something is not, {ends}")
    assert proxy.get("/").status == 200
    with socket.create_connection(("127.0.0.1", proxy.port)):
        assert proxy.get("/").status == 200
