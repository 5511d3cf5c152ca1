"""Responses on their way through weir: what HTTP/1.0 clients get, heads, every framing, trailers, answers without a body."""
import functools
import re
import threading

import pytest
from support import http
from support.http import request_fields
from support.origin import answering, echoing, response
from support.wait import wait_for

GET = "GET / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(name="through")
def through_fixture(weir, origin):
    """through(bytes, config, answer): see support/http.py."""
    return functools.partial(http.through, weir, origin)


# --- HTTP/1.0 clients ------------------------------------------------------------------------------------------------


def test_an_http_1_0_client_needs_no_host_and_is_closed(weir, origin, connect):
    server = origin(response(b"hello"))
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send("GET / HTTP/1.0\r\n\r\n")
    answer = client.read_response()
    assert (answer.status, answer.body) == (200, b"hello")
    assert client.is_closed()
    assert server.requests[0].version == "HTTP/1.1"
    assert server.requests[0].header("Host")


def test_an_http_1_0_client_gets_no_chunks(weir, origin, connect):
    server = origin(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 7\r\n\r\n")
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send("GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
    answer = client.read_response()
    assert answer.all("Transfer-Encoding") == []
    assert answer.body == b"hello world"
    assert client.is_closed()


def test_an_http_1_0_client_that_asks_is_kept(weir, origin, connect):
    server = origin(response(b"hello"))
    client = connect(weir(f"ProxyPass / {server.url}").port)
    for _ in range(3):
        answer = client.request("/", version="HTTP/1.0", headers={"Connection": "keep-alive"})
        assert answer.body == b"hello"
        assert answer.header("Connection").lower() == "keep-alive"


def test_an_http_1_0_client_gets_no_interim_answers(weir, origin, connect):
    server = origin(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response(b"hello"))
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send("GET / HTTP/1.0\r\n\r\n")
    assert client.read_head().status == 200


# --- responses -------------------------------------------------------------------------------------------------------


def test_a_response_is_written_anew(through):
    _, answer = through(f"{GET}\r\n", answer=b"HTTP/1.1 299 Very  Special\r\nServer: back/1\r\nX-A:  b \r\nSet-Cookie: a=b\r\n"
                        b"Set-Cookie: c=d\r\nX-8-Bit: \xe4\r\nContent-Length: 2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nok")  # fmt: skip
    assert (answer.version, answer.status, answer.reason) == ("HTTP/1.1", 299, "Very  Special")
    assert answer.header("Server") == "back/1"
    assert answer.header("X-A") == "b"
    assert answer.all("Set-Cookie") == ["a=b", "c=d"]
    assert answer.header("X-8-Bit") == "\xe4"
    assert answer.header("Date") == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_date_is_added_when_it_is_missing(through):
    _, answer = through(f"{GET}\r\n")
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z][a-z] \d{4} \d\d:\d\d:\d\d GMT", answer.header("Date"))


def test_hop_by_hop_fields_of_a_response_stay_here(through):
    _, answer = through(f"{GET}\r\n", answer=response(headers=[("Connection", "x-secret, close"), ("X-Secret", "1"), ("Keep-Alive", "timeout=5"),
                                                                ("Proxy-Connection", "close"), ("Upgrade", "h2c"), ("X-Stays", "1")]))  # fmt: skip
    assert answer.header("X-Stays") == "1"
    for name in ("X-Secret", "Keep-Alive", "Proxy-Connection", "Upgrade"):
        assert answer.all(name) == [], name
    assert (answer.header("Connection") or "keep-alive").lower() == "keep-alive"


@pytest.mark.parametrize("reason", ["", " ", " OK", " \xe4 ok"])
def test_a_status_line_with_any_reason(through, reason):
    _, answer = through(f"{GET}\r\n", answer=f"HTTP/1.1 200{reason}\r\nContent-Length: 2\r\n\r\nok".encode("latin-1"))
    assert (answer.status, answer.body) == (200, b"ok")


BODIES = {
    "length": (b"Content-Length: 11\r\n\r\nhello world", False),
    "leading-zeros": (b"Content-Length: 0011\r\n\r\nhello world", False),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", False),
    "until-close": (b"\r\nhello world", True),
    "length-and-close": (b"Content-Length: 11\r\nConnection: close\r\n\r\nhello world", True),
}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("kind", BODIES)
def test_bodies_of_responses(weir, origin, connect, kind, version):
    """In every framing that the origin may choose; the client's connection stays usable after each."""
    if (kind, version) == ("chunked", "1.0"):
        pytest.skip("not in HTTP/1.0")
    rest, close = BODIES[kind]
    server = origin(answering(f"HTTP/{version} 200 OK\r\n".encode() + rest, close=close))
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    for _ in range(3):
        answer = client.request("/")
        assert (answer.version, answer.status, answer.body) == ("HTTP/1.1", 200, b"hello world")
    assert len(server.connections) == (3 if close or version == "1.0" else 1)


def test_trailers_of_a_response(weir, origin):
    server = origin(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n")
    answer = weir(f"ProxyPass / {server.url}").get("/")
    assert answer.body == b"a"
    assert ("X-Sum", "7") in answer.trailers
    assert "content-length" not in [name.lower() for name, _ in answer.trailers]


def test_trailers_of_a_response_that_connection_names_stay_here(weir, origin):
    server = origin(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive, X-Mine\r\nConnection: x-other\r\n\r\n"
                    b"1\r\na\r\n0\r\nX-Sum: 7\r\nX-Mine: 8\r\nX-Other: 9\r\n\r\n")  # fmt: skip
    assert weir(f"ProxyPass / {server.url}").get("/").trailers == [("X-Sum", "7")]


def test_upgrade_required_says_to_what(weir, origin, connect):
    """RFC 9110, 15.5.22: a 426 has an Upgrade field; no other final answer passes one on."""
    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"
    server = origin(answering(b"HTTP/1.1 426 Upgrade Required\r\n" + fields, b"HTTP/1.1 200 OK\r\n" + fields))
    client = connect(weir(f"ProxyPass / {server.url}").port)
    answer = client.request("/")
    assert (answer.status, answer.all("Upgrade"), answer.all("Connection")) == (426, ["websocket"], ["Upgrade"])
    answer = client.request("/")
    assert (answer.status, answer.all("Upgrade"), answer.all("Connection")) == (200, [], [])


@pytest.mark.parametrize("head", ["Content-Length: 1000", "Transfer-Encoding: chunked", "X-A: b"])
def test_head_has_the_fields_and_no_body(weir, origin, connect, head):
    server = origin(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    for _ in range(3):
        answer = client.request("/", "HEAD")
        assert answer.status == 200
        name, value = head.split(": ")
        assert answer.header(name) in ((value, None) if name == "Transfer-Encoding" else (value,))
    assert len(server.connections) == 1


@pytest.mark.parametrize("status, fields", [
    ("204 No Content", ""), ("304 Not Modified", ""), ("304 Not Modified", "Content-Length: 1000\r\n"), ("304 Not Modified", "ETag: \"a\"\r\n"),
    ("304 Not Modified", "Transfer-Encoding: chunked\r\n"),
])  # fmt: skip
def test_answers_without_a_body(weir, origin, connect, status, fields):
    server = origin(f"HTTP/1.1 {status}\r\n{fields}\r\n".encode())
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    for _ in range(3):
        assert client.request("/").status == int(status[:3])
    assert len(server.connections) == 1


def test_the_first_bytes_of_a_response_do_not_wait_for_the_rest(weir, origin, connect):
    goes_on = []

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        wait_for(lambda: goes_on)
        connection.send("world")

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port).send(GET + "\r\n")
    client.read_head()
    assert client.read_exactly(5) == b"hello"
    goes_on.append(True)
    assert client.read_exactly(5) == b"world"


def test_the_head_of_a_response_does_not_wait_for_its_body(weir, origin, connect):
    goes_on = []

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        wait_for(lambda: goes_on)
        connection.send("0\r\n\r\n")

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port).send(GET + "\r\n")
    assert client.read_head().status == 200
    goes_on.append(True)
    assert client.read_until(b"0\r\n\r\n")


def test_a_long_body_that_turns_slow_does_not_wait_for_more(weir, origin, connect):
    """While a body comes fast, weir lets some of it gather in the origin's socket. Then it must see what else comes, too."""
    fast, piece, pieces, rest = bytes(range(256)) * (16 << 12), b"some of it", 50, bytes(1 << 20)
    seen = threading.Semaphore(0)

    def script(connection):
        while connection.read_request() is not None:
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(fast) + pieces * len(piece) + len(rest)}\r\n\r\n")
            connection.send(fast)
            for _ in range(pieces):
                connection.send(piece)
                assert seen.acquire(timeout=20)
            connection.send(rest)

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port)
    for _ in range(2):  # on a kept connection, too
        client.send(GET + "\r\n").read_head()
        assert client.read_exactly(len(fast)) == fast
        for _ in range(pieces):
            assert client.read_exactly(len(piece), 10) == piece
            seen.release()
        assert client.read_exactly(len(rest)) == rest
    assert len(server.connections) == 1


def test_a_compressed_body_passes_untouched(through):
    body = bytes(range(256)) * 10
    request, answer = through(
        f"{GET}Accept-Encoding: gzip, br;q=0.5\r\n\r\n", answer=response(body, headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})
    )
    assert request.header("Accept-Encoding") == "gzip, br;q=0.5"
    assert answer.header("Content-Encoding") == "gzip"
    assert answer.body == body


def test_what_the_origin_got_is_all_that_the_client_sent(weir, origin):
    """An echo, to compare whole heads."""
    server = origin(echoing)
    proxy = weir(f"ProxyPass / {server.url}")
    answer = proxy.get("/x", method="PUT", headers={"X-A": "b", "Content-Type": "text/plain"}, body=b"hello")
    assert answer.body.endswith(b"\r\n\r\nhello")
    fields = request_fields(server.requests[0])
    assert sorted(fields) == [("Content-Length", "5"), ("Content-Type", "text/plain"), ("Host", "localhost"), ("X-A", "b")]


def test_chunk_sizes_padded_with_blanks(weir, origin):
    """Apache 1.3 writes them so; a client may not."""
    server = origin(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5   \r\nhello\r\n0  \r\n\r\n")
    assert weir(f"ProxyPass / {server.url}").get("/").body == b"hello"
