"""Origins that answer badly: 502 and a closed connection, never a byte that weir did not understand."""
# ctest: waits
import os
import signal
import socket
import struct

import pytest
from support.client import Closed, format_request
from support.http import memory_is_below, table
from support.origin import response
from support.wait import free_port, wait_for

OK = "HTTP/1.1 200 OK\r\n"
GET = format_request("/")
CONTROLS = [code for code in range(0x20) if code not in (0x09, 0x0A, 0x0D)] + [0x7F]


def sending(data):
    """A script: sends the bytes after each request and waits for weir to close."""
    data = data.encode("latin-1") if isinstance(data, str) else data

    def script(connection):
        while connection.read_request() is not None:
            connection.send(data)

    return script


@pytest.fixture(name="bad")
def bad_fixture(weir, origin):
    """bad(bytes): they are answered with 502, the origin's connection is closed, and the next request gets another."""

    def check(data, expected=502, method="GET"):
        server = origin(sending(data), response(b"good"))
        proxy = weir(f"Workers 1\nProxyTimeout 5\nProxyPass / {server.url}")
        client = proxy.connect()
        answer = client.request("/bad", method)
        assert answer.status == expected, f"{answer} {answer.headers} {answer.body[:200]}"
        assert b"evil" not in answer.raw_head + answer.body
        wait_for(lambda: server.connections[0].over, what="weir to close the bad connection")
        assert proxy.get("/good").body == b"good"
        assert [request.target for request in server.requests] == ["/bad", "/good"]
        return answer

    return check


# --- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [
    "HTTP/2.0 200 OK", "HTTP/3 200 OK", "HTTP/0.9 200 OK", "HTTP/1 200 OK", "HTTP/1. 200 OK", "HTTP/1.10 200 OK", "HTTP/11 200 OK",
    "http/1.1 200 OK", "ICY 200 OK", "HTTP 200 OK", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK",
    "HTTP/1.1 0200 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 -200 OK", "HTTP/1.1 +20 OK", "HTTP/1.1 099 OK", "HTTP/1.1 000 OK", "HTTP/1.1 200OK",
    "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1200 OK", " HTTP/1.1 200 OK", "HTTP/1.1 200 O\x00K",
    "HTTP/1.1 200 O\rK", "HTTP/1.1 200 O\x7fK", "HTTP/1.1 200 OK\r", "HTTP/1.1 \xb2\xb00 OK", "GET / HTTP/1.1", "SSH-2.0-OpenSSH_9.2",
    "220 mail.example ESMTP", "", "\x15\x03\x01\x00\x02\x02\x46", "<html>evil</html>", "+OK evil",
])  # fmt: skip
def test_a_bad_status_line(bad, line):
    bad(f"{line}\r\nContent-Length: 4\r\n\r\nevil")


@pytest.mark.parametrize("fields", table(
    ("length-and-coding", "Content-Length: 4\r\nTransfer-Encoding: chunked"),
    ("coding-and-length", "Transfer-Encoding: chunked\r\nContent-Length: 4"),
    ("two-lengths", "Content-Length: 4\r\nContent-Length: 5"),
    ("two-equal-lengths", "Content-Length: 4\r\nContent-Length: 4"),
    ("list-of-lengths", "Content-Length: 4, 4"),
    ("length-minus", "Content-Length: -4"),
    ("length-plus", "Content-Length: +4"),
    ("length-empty", "Content-Length:"),
    ("length-with-letter", "Content-Length: 4x"),
    ("length-hexadecimal", "Content-Length: 0x4"),
    ("length-two-words", "Content-Length: 4 4"),
    ("length-too-large", "Content-Length: 18446744073709551620"),
    ("coding-not-last", "Transfer-Encoding: chunked, gzip"),
    ("coding-gzip", "Transfer-Encoding: gzip"),
    ("coding-identity", "Transfer-Encoding: identity"),
    ("coding-unknown-then-chunked", "Transfer-Encoding: gzip, chunked"),
    ("coding-twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    ("coding-empty", "Transfer-Encoding:"),
    ("coding-xchunked", "Transfer-Encoding: xchunked"),
    ("space-before-colon", "X-A : b"),
    ("space-before-colon-of-length", "Content-Length : 4"),
    ("tab-before-colon", "X-A\t: b"),
    ("no-name", ": b"),
    ("no-colon", "evil"),
    ("space-in-name", "X A: b"),
    ("name-8-bit", "X\xe4: b"),
    ("name-control", "X\x01: b"),
    ("folding", "X-A: b\r\n evil: c"),
    ("folding-with-tab", "X-A: b\r\n\tevil"),
    ("folding-of-the-first", " X-A: b"),
    ("bare-carriage-return", "X-A: b\rSet-Cookie: evil"),
    ("carriage-return-at-the-end", "X-A: b\r"),
    ("bare-line-feed", "X-A: b\nSet-Cookie: evil"),
    ("bare-line-feed-at-the-end", "X-A: b\n"),
))  # fmt: skip
def test_bad_fields(bad, fields):
    bad(f"{OK}{fields}\r\n\r\nevil")


@pytest.mark.parametrize("data", ["HTTP/1.1 200 OK\nContent-Length: 4\n\nevil", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\nevil",
                                  "HTTP/1.1 200 OK\nContent-Length: 4\r\n\r\nevil", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"])  # fmt: skip
def test_bare_line_feeds_and_empty_lines(bad, data):
    bad(data)


@pytest.mark.parametrize("code", CONTROLS, ids=[f"{code:02x}" for code in CONTROLS])
def test_a_control_character_in_a_field(bad, code):
    bad(f"{OK}X-A: a{chr(code)}evil\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "200 OK"])
@pytest.mark.parametrize("fields", ["Content-Length: 4\r\nContent-Length: 5", "Content-Length: x", "Content-Length: 4\r\nTransfer-Encoding: chunked"])
def test_bad_framing_matters_without_a_body_too(bad, status, fields):
    bad(f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n", method="HEAD" if status.startswith("200") else "GET")


def test_a_coding_in_an_http_1_0_answer(bad):
    bad("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n")


def filled(length, count=None):
    """A response head of exactly so many bytes, in fields of at most 8000."""
    head = OK + "Content-Length: 2\r\n"
    while length - len(head) > 16000:
        head += f"X-A: {'b' * 7993}\r\n"
    rest = length - len(head) - 2
    head += f"X-B: {'b' * (rest - 7)}\r\n\r\n"
    assert len(head) == length
    return head


def test_a_head_of_64_kib_and_one_byte_more(bad, weir, origin):
    server = origin(filled(65536).encode() + b"ok")
    answer = weir(f"ProxyPass / {server.url}").get("/")
    assert (answer.status, answer.body) == (200, b"ok")
    bad(filled(65537) + "ok")


def test_200_fields_and_one_more(bad, weir, origin):
    fields = "".join(f"X-{number}: b\r\n" for number in range(199))
    server = origin(f"{OK}Content-Length: 2\r\n{fields}\r\nok".encode())
    answer = weir(f"ProxyPass / {server.url}").get("/")
    assert (answer.status, answer.header("X-198")) == (200, "b")
    bad(f"{OK}Content-Length: 2\r\n{fields}X-More: b\r\n\r\nok")


@pytest.mark.parametrize("start, piece", [(OK, "X-A: b\r\n"), (OK + "X-A: ", "b" * 1000), ("", "HTTP/1.1 " * 100), (OK, "a" * 1000), ("", "\x00" * 1000)])
def test_a_head_that_never_ends(weir, origin, start, piece):
    def script(connection):
        connection.read_request()
        connection.send(start)
        while True:
            connection.send(piece * 100)

    server = origin(script)
    proxy = weir(f"ProxyTimeout 5\nProxyPass / {server.url}")
    before = proxy.memory()
    assert proxy.get("/").status == 502
    assert memory_is_below(proxy, before + 5_000_000)


# --- what an origin does instead of answering ---------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["", "H", "HTTP/1.1 200", OK, OK + "Content-Length: 4", OK + "Content-Length: 4\r\n"])
def test_an_early_close(weir, origin, data):
    def script(connection):
        connection.read_request()
        connection.send(data)

    server = origin(script)
    assert weir(f"ProxyPass / {server.url}").get("/").status == 502


def test_a_close_before_the_request_is_read(weir, origin):
    server = origin(lambda connection: None)
    assert weir(f"ProxyPass / {server.url}").get("/").status == 502


def test_a_reset(weir, origin):
    def script(connection):
        connection.read_request()
        connection.reset()

    server = origin(script)
    assert weir(f"ProxyPass / {server.url}").get("/").status == 502


def test_nobody_listens(weir):
    answer = weir(f"ProxyPass / http://127.0.0.1:{free_port()}/").get("/")
    assert answer.status == 503


def test_an_origin_that_is_too_slow(weir, origin):
    def script(connection):
        connection.read_request()
        connection.wait_closed()

    server = origin(script, response(b"good"))
    proxy = weir(f"Workers 1\nProxyTimeout 1\nProxyPass / {server.url}")
    assert proxy.get("/").status == 504
    wait_for(lambda: server.connections[0].over, what="weir to close the slow connection")
    assert proxy.get("/").body == b"good"


def test_only_interim_answers_and_then_nothing(weir, origin):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 103 Early Hints\r\n\r\n")
        connection.wait_closed()

    server = origin(script)
    assert weir(f"ProxyTimeout 1\nProxyPass / {server.url}").get("/").status == 504


def test_a_bad_interim_answer(bad):
    bad("HTTP/1.1 103 Early\x00Hints\r\n\r\n" + response().decode())
    bad("HTTP/1.1 100 Continue\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n" + response().decode())


@pytest.mark.parametrize("fields", ["", "Connection: upgrade\r\nUpgrade: websocket\r\n", "Connection: upgrade\r\nUpgrade: h2c\r\n"])
def test_switching_protocols_that_nobody_asked_for(bad, fields):
    bad(f"HTTP/1.1 101 Switching Protocols\r\n{fields}\r\nevil")


# --- bodies ----------------------------------------------------------------------------------------------------------


def cut(weir, origin, data, method="GET", version="1.1"):
    """The origin sends this and closes. The client gets 502, or sees that the answer is not complete."""
    data = data.encode("latin-1") if isinstance(data, str) else data

    def script(connection):
        connection.read_request()
        connection.send(data)

    server = origin(script)
    proxy = weir(f"ProxyPass / {server.url}")
    client = proxy.connect().send(f"{method} / HTTP/{version}\r\nHost: localhost\r\n\r\n")
    try:
        answer = client.read_response(method)
    except (Closed, ValueError, AssertionError):
        return
    assert answer.status == 502, f"a whole answer was seen: {answer} {answer.body[:100]}"


def test_a_body_shorter_than_its_length(weir, origin):
    cut(weir, origin, f"{OK}Content-Length: 10\r\n\r\nhello")
    cut(weir, origin, f"{OK}Content-Length: 10\r\n\r\n")
    cut(weir, origin, f"{OK}Content-Length: 1000000\r\n\r\n" + "a" * 999_999)
    for length in (32_768, 32_769, 65_536):  # as much as fills a buffer, and more is promised
        cut(weir, origin, (f"{OK}Content-Length: 66000\r\n\r\n" + "a" * 66_000)[:length])
        cut(weir, origin, (f"{OK}Content-Length: 65536\r\n\r\n" + "a" * 65_536)[:length])


@pytest.mark.parametrize("body", ["", "5", "5\r\n", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0", "5\r\nhello\r\n0\r\n",
                                  "5\r\nhello\r\n0\r\nX: y\r\n", "5\r\nhello\r\nfffff\r\n" + "a" * 100_000])  # fmt: skip
def test_a_chunked_body_without_an_end(weir, origin, body):
    cut(weir, origin, f"{OK}Transfer-Encoding: chunked\r\n\r\n{body}")


@pytest.mark.parametrize("body", table(
    ("no-hexadecimal", "5\r\nhello\r\ng\r\n"),
    ("empty-size", "5\r\nhello\r\n\r\n0\r\n\r\n"),
    ("minus", "5\r\nhello\r\n-1\r\n"),
    ("plus", "+5\r\nhello\r\n0\r\n\r\n"),
    ("0x", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("too-many-digits", "00000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("overflow", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("largest", "5\r\nhello\r\nffffffffffffffff\r\nevil"),
    ("no-line-after-data", "5\r\nhelloX\r\n0\r\n\r\n"),
    ("bare-line-feed-after-size", "5\nhello\r\n0\r\n\r\n"),
    ("bare-line-feed-after-data", "5\r\nhello\n0\r\n\r\n"),
    ("bare-line-feed-at-the-end", "5\r\nhello\r\n0\r\n\n"),
    ("extension-with-line-feed", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("extension-with-control", "5;a=\x01\r\nhello\r\n0\r\n\r\n"),
    ("extension-too-long", f"5;{'a' * 100_000}\r\nhello\r\n0\r\n\r\n"),
    ("trailer-space-before-colon", "5\r\nhello\r\n0\r\nX : y\r\n\r\n"),
    ("trailer-folded", "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n"),
    ("trailer-with-nul", "5\r\nhello\r\n0\r\nX: \x00\r\n\r\n"),
    ("trailers-too-large", "5\r\nhello\r\n0\r\n" + f"X: {'y' * 1000}\r\n" * 20 + "\r\n"),
))
@pytest.mark.parametrize("together", [True, False], ids=["at-once", "after-the-head"])
def test_a_malformed_chunked_body(weir, origin, body, together):
    """The client never sees a complete answer; both connections are closed."""
    heads = []

    def script(connection):
        while connection.read_request() is not None:
            connection.send(f"{OK}Transfer-Encoding: chunked\r\n\r\n" + (body if together else ""))
            if not together:
                wait_for(lambda: heads)
                connection.send(body)

    server = origin(script, response(b"good"))
    proxy = weir(f"Workers 1\nProxyTimeout 5\nProxyPass / {server.url}")
    client = proxy.connect().send(GET)
    heads.append(client.read_head())
    if heads[0].status != 502:
        with pytest.raises((Closed, ValueError)):
            client.read_chunked()
        wait_for(client.is_closed)
    wait_for(lambda: server.connections[0].over, what="weir to close the bad connection")
    assert proxy.get("/").body == b"good"


def test_a_cut_chunked_body_for_an_http_1_0_client_is_seen_as_cut(weir, origin):
    """Delimited by close, it could look whole: so the connection is reset."""

    def script(connection):
        connection.read_request()
        connection.send(f"{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    server = origin(script)
    client = weir(f"ProxyPass / {server.url}").connect().send("GET / HTTP/1.0\r\n\r\n")
    seen = b""
    try:
        while data := client.socket.recv(65536):
            seen += data
    except ConnectionResetError:
        return
    assert seen.startswith(b"HTTP/1.1 502 "), f"an orderly end after {seen!r}"


SMUGGLED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


@pytest.mark.parametrize("first, method", [
    (response(b"good"), "GET"),
    (b"HTTP/1.1 204 No Content\r\n\r\n", "GET"),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", "GET"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "HEAD"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n", "GET"),
])  # fmt: skip
def test_bytes_after_a_response_are_nobody_s(weir, origin, first, method):
    """The connection that sent them is not used again."""
    server = origin(sending(first + SMUGGLED), response(b"next"))
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    client = proxy.connect()
    answer = client.request("/", method)
    assert answer.status < 400 and b"evil" not in answer.body
    assert proxy.get("/").body == b"next"
    assert client.request("/").body == b"next"
    wait_for(lambda: server.connections[0].over, what="weir to close the connection")


def test_bytes_on_an_idle_connection_are_nobody_s(weir, origin):
    """An answer that comes before it was asked for is not given to the next client."""
    sent = []

    def script(connection):
        connection.read_request()
        connection.answer(b"first")
        wait_for(lambda: sent)
        connection.send(SMUGGLED)
        connection.wait_closed()

    server = origin(script, response(b"next"))
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    assert proxy.get("/").body == b"first"
    sent.append(True)
    wait_for(lambda: server.connections[0].over, what="weir to close the connection")
    assert proxy.get("/").body == b"next"


def test_an_answer_before_the_request_is_nobody_s(weir, origin):
    """A new connection on which the origin speaks first, as a mail server does: an answer to no request at all."""

    def script(connection):
        connection.send("220 mail.example ESMTP\r\n")
        connection.wait_closed()

    server = origin(script)
    assert weir(f"ProxyTimeout 2\nProxyPass / {server.url}").get("/").status in (502, 504)


def test_the_reason_stands_in_the_error_log_and_not_in_the_page(weir, origin):
    server = origin(sending(f"{OK}X-A : evil\r\n\r\n"))
    proxy = weir(f"LogLevel info\nProxyPass / {server.url}")
    answer = proxy.get("/")
    assert answer.status == 502
    assert server.url.split("/")[2] not in answer.body.decode()
    proxy.wait_for_log(r"white ?space before")


def test_a_reset_that_a_write_was_told_of_is_no_end(weir, origin):
    """A body that ends with the connection, while the request's own body cannot go on: the kernel tells a reset once."""

    def script(connection):
        connection.read_head()
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.send("HTTP/1.1 200 OK\r\n\r\nincomplete")
        wait_for(lambda: connection.origin.goes_on)
        connection.socket.close()

    server = origin(script)
    server.goes_on = False
    client = weir(f"Workers 1\nProxyPass / {server.url}").connect()
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
    client.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.socket.sendall(bytes(100000000))  # until nobody takes more
    assert client.read_head().status == 200
    server.goes_on = True
    assert not client.read_to_end().endswith(b"0\r\n\r\n")


def test_an_answer_of_an_origin_that_takes_no_more_says_that_the_connection_ends(weir, origin):
    """weir learns of the answer and, first, that the rest of the request's body cannot be sent."""

    def script(connection):
        connection.read_head()
        wait_for(lambda: connection.origin.goes_on)
        connection.answer(b"early")

    server = origin(script)
    server.goes_on = False
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    client = proxy.connect()
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
    client.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.socket.sendall(bytes(100000000))  # until nobody takes more
    os.kill(proxy.pid, signal.SIGSTOP)
    try:
        server.goes_on = True
        wait_for(lambda: server.connections[0].over)
    finally:
        os.kill(proxy.pid, signal.SIGCONT)
    answer = client.read_response()
    assert (answer.body, answer.header("Connection")) == (b"early", "close")
