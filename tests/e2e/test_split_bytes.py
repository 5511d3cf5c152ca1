"""Bytes may arrive cut anywhere: every message, cut at every place, means the same as in one piece."""
import time

import pytest
from support.http import memory_is_below, table
from support.origin import response

PAUSE = 0.003  # so that the two halves arrive one after the other

REQUESTS = table(
    ("get", b"GET /a?b HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n\r\n", b""),
    ("length", b"POST /a?b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    (
        "chunked",
        b"POST /a?b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'5;x="y;z"\r\nhello\r\n00a\r\n\r\n0\r\n\r\n...\r\n0\r\nX-Sum: 7\r\n\r\n',
        b"hello\r\n0\r\n\r\n...",
    ),
)


@pytest.mark.parametrize("data, body", REQUESTS)
def test_requests(weir, origin, data, body):
    server = origin()
    proxy = weir(f"MaxKeepAliveRequests 0\nProxyPass / {server.url}")
    client = proxy.connect()
    for at in range(1, len(data)):
        client.send(data[:at])
        time.sleep(PAUSE)
        client.send(data[at:])
        assert client.read_response().status == 200, data[:at]
        request = server.requests[-1]
        assert (request.target, request.body) == ("/a?b", body), data[:at]
    assert len(server.requests) == len(data) - 1


RESPONSES = table(
    ("length", b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\n\r\n0\r\n0\r\nX-Sum: 7\r\n\r\n", b"hello\r\n0"),
    ("interim", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    ("no-content", b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", b""),
)


@pytest.mark.parametrize("data, body", RESPONSES)
def test_responses(weir, origin, data, body):
    def script(connection):
        at = 0
        while connection.read_request() is not None:
            at += 1
            connection.send(data[:at])
            time.sleep(PAUSE)
            connection.send(data[at:])

    server = origin(script)
    proxy = weir(f"Workers 1\nMaxKeepAliveRequests 0\nProxyPass / {server.url}")
    client = proxy.connect()
    for at in range(1, len(data)):
        answer = client.request("/")
        assert (answer.status, answer.body) == (200 if body else 204, body), data[:at]
    assert len(server.connections) == 1


@pytest.mark.parametrize("data, body", RESPONSES)
def test_responses_byte_by_byte(weir, origin, data, body):
    def script(connection):
        while connection.read_request() is not None:
            for at in range(len(data)):
                connection.send(data[at : at + 1])

    server = origin(script)
    client = weir(f"Workers 1\nProxyPass / {server.url}").connect()
    for _ in range(3):
        assert client.request("/").body == body
    assert len(server.connections) == 1


@pytest.mark.parametrize("sizes", [range(16_300, 16_420, 7), range(32_700, 32_800, 9), range(65_400, 65_600, 13), range(131_000, 131_200, 17)],
                         ids=["16k", "32k", "64k", "128k"])  # fmt: skip
def test_bodies_about_as_large_as_a_buffer(weir, origin, sizes):
    """Off-by-one at the end of a buffer would show here: lengths and chunked, both ways."""

    def script(connection):
        while (request := connection.read_request()) is not None:
            if request.header("Transfer-Encoding"):
                half = len(request.body) // 2
                connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                connection.send(b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (half, request.body[:half], len(request.body) - half, request.body[half:]))
            else:
                connection.answer(request.body)

    server = origin(script)
    client = weir(f"MaxKeepAliveRequests 0\nProxyPass / {server.url}").connect(deadline=30)
    for size in sizes:
        body = bytes(index % 251 for index in range(size))
        assert client.request("/", "POST", body=body).body == body
        client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (size, body))
        assert client.read_response().body == body


def test_a_body_of_many_tiny_chunks(weir, origin):
    """Each of one byte: nothing grows with their number."""
    body = b"ab" * 30_000
    chunks = b"".join(b"1;x\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    server = origin(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    proxy = weir(f"ProxyPass / {server.url}")
    before = proxy.memory()
    client = proxy.connect(deadline=30)
    client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert client.read_response().body == body
    assert server.requests[0].body == body
    assert memory_is_below(proxy, before + 5_000_000)


def test_answers_cut_by_a_reader_with_a_small_window(weir, origin):
    """The client takes a few bytes at a time; weir's writes end anywhere."""
    body = bytes(index % 251 for index in range(300_000))
    server = origin(response(body), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    client = weir(f"ProxyPass / {server.url}").connect(receive_buffer=2048, deadline=30)
    for _ in range(2):
        assert client.request("/").body == body
