"""Upgrade: websocket is tunnelled once both sides agree; no other upgrade is passed on."""
import hashlib
import threading

import pytest
from support.apache import content
from support.client import Late, format_request
from support.origin import response
from support.wait import wait_for

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ASK = (
    "GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\nOrigin: http://localhost\r\n\r\n"
)
AGREE = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
)


def agreeing(connection):
    """Agrees, then echoes every byte until the other side has no more."""
    connection.read_head()
    connection.send(AGREE)
    while data := connection.read_some():
        connection.send(data)


def opened(weir, origin, script=agreeing, config=""):
    server = origin(script)
    proxy = weir(f"{config}\nProxyPass / {server.url}")
    client = proxy.connect().send(ASK)
    answer = client.read_head()
    assert answer.status == 101
    return server, client, answer


def test_both_sides_agree(weir, origin):
    server, client, answer = opened(weir, origin)
    request = server.requests[0]
    assert request.header("Upgrade").lower() == "websocket"
    assert request.header("Connection").lower() == "upgrade"
    assert request.header("Sec-WebSocket-Key") == KEY
    assert request.header("Sec-WebSocket-Protocol") == "chat"
    assert request.header("X-Forwarded-For") == "127.0.0.1"
    assert answer.header("Upgrade").lower() == "websocket"
    assert "upgrade" in answer.header("Connection").lower()
    assert answer.header("Sec-WebSocket-Accept")
    assert answer.all("Content-Length") == [] and answer.all("Transfer-Encoding") == []
    for piece in (b"\x81\x05hello", b"\x00\xff\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        client.send(piece)
        assert client.read_exactly(len(piece)) == piece


def test_bytes_that_come_with_the_heads(weir, origin):
    """Frames right behind the request and right behind the 101 are not lost."""

    def script(connection):
        connection.read_head()
        connection.send(AGREE + "welcome")
        connection.send(connection.read_exactly(5))
        connection.wait_closed()

    server = origin(script)
    client = weir(f"ProxyPass / {server.url}").connect().send(ASK + "early")
    assert client.read_head().status == 101
    assert client.read_exactly(12) == b"welcomeearly"


def test_much_in_both_directions_at_once(weir, origin):
    _, client, _ = opened(weir, origin)
    body = content(10_000_000)
    sender = threading.Thread(target=client.socket.sendall, args=(body,), daemon=True)
    client.socket.settimeout(60)
    sender.start()
    assert hashlib.sha256(client.read_exactly(len(body), 60)).digest() == hashlib.sha256(body).digest()
    sender.join()


def test_the_client_closes_its_half(weir, origin):
    """What the origin still has to say is heard."""

    def script(connection):
        connection.read_head()
        connection.send(AGREE)
        connection.send(connection.read_to_end() + b" and goodbye")

    _, client, _ = opened(weir, origin, script)
    client.send("hello").half_close()
    assert client.read_to_end() == b"hello and goodbye"


def test_the_origin_closes_its_half(weir, origin):
    heard = []

    def script(connection):
        connection.read_head()
        connection.send(AGREE + "bye")
        connection.half_close()
        heard.append(connection.read_to_end())

    _, client, _ = opened(weir, origin, script)
    assert client.read_to_end() == b"bye"
    client.send("still here").close()
    wait_for(lambda: heard, what="the origin to hear the end")
    assert heard == [b"still here"]


def test_the_origin_closes(weir, origin):
    def script(connection):
        connection.read_head()
        connection.send(AGREE + "bye")

    _, client, _ = opened(weir, origin, script)
    assert client.read_to_end() == b"bye"


def test_the_client_vanishes(weir, origin):
    server, client, _ = opened(weir, origin)
    client.reset()
    wait_for(lambda: server.connections[0].over, what="weir to close the origin's connection")


def test_a_quiet_tunnel_outlives_the_keep_alive_time(weir, origin):
    _, client, _ = opened(weir, origin, config="KeepAliveTimeout 1\nRequestReadTimeout header=1 body=1")
    with pytest.raises(Late):
        client.read_some(2.5)
    client.send("hello")
    assert client.read_exactly(5) == b"hello"


def test_a_tunnel_s_connection_is_not_used_again(weir, origin):
    def script(connection):
        connection.read_head()
        connection.send(AGREE)
        connection.read_to_end()

    server = origin(script, response(b"next"))
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    client = proxy.connect().send(ASK)
    assert client.read_head().status == 101
    client.close()
    wait_for(lambda: server.connections[0].over)
    assert proxy.get("/").body == b"next"


@pytest.mark.parametrize("status", ["403 Forbidden", "200 OK", "426 Upgrade Required", "302 Found"])
def test_an_origin_that_does_not_agree(weir, origin, status):
    """Its answer is one like any other, and the connection is still HTTP."""
    server = origin(response(b"no", status), response(b"again"))
    client = weir(f"Workers 1\nProxyPass / {server.url}").connect().send(ASK)
    answer = client.read_response()
    assert (answer.status, answer.body) == (int(status[:3]), b"no")
    assert client.request("/next").body in (b"no", b"again")


@pytest.mark.parametrize("answer", [AGREE.replace("websocket", "h2c"), AGREE.replace("Upgrade: websocket\r\n", ""), AGREE.replace("websocket", "")])
def test_an_origin_that_agrees_to_something_else(weir, origin, answer):
    def script(connection):
        connection.read_head()
        connection.send(answer + "evil")
        connection.wait_closed()

    server = origin(script)
    got = weir(f"ProxyPass / {server.url}").connect().send(ASK).read_response()
    assert got.status == 502


@pytest.mark.parametrize("request_text", [
    ASK.replace("websocket", "h2c"),
    ASK.replace("websocket", "TLS/1.2"),
    ASK.replace("Connection: Upgrade\r\n", ""),
    ASK.replace("Connection: Upgrade", "Connection: keep-alive"),
    ASK.replace("Upgrade: websocket\r\n", ""),
    ASK.replace("HTTP/1.1", "HTTP/1.0"),
    ASK.replace("GET", "POST").replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"),
    ASK.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello"),
], ids=["h2c", "tls", "no-connection", "connection-without-it", "no-upgrade", "http-1.0", "post", "with-a-body"])  # fmt: skip
def test_requests_that_are_no_upgrade(weir, origin, request_text):
    """The field is not passed on; the request is served without it."""
    server = origin()
    answer = weir(f"ProxyPass / {server.url}").connect().send(request_text).read_response()
    assert answer.status == 200
    assert server.requests[0].all("Upgrade") == []
    assert "upgrade" not in (server.requests[0].header("Connection") or "").lower()


@pytest.mark.parametrize("value", ["WebSocket", "WEBSOCKET"])
def test_the_name_in_any_case(weir, origin, value):
    server = origin(agreeing)
    client = weir(f"ProxyPass / {server.url}").connect().send(ASK.replace("websocket", value))
    assert client.read_head().status == 101


def test_a_length_of_nothing_is_no_body(weir, origin):
    """Some clients say Content-Length: 0 with every request that has no body."""
    server = origin(agreeing)
    client = weir(f"ProxyPass / {server.url}").connect()
    client.send(ASK.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n") + "hello")
    assert client.read_head().status == 101
    assert client.read_exactly(5) == b"hello"


def test_a_second_request_waits_behind_no_tunnel(weir, origin):
    """Bytes that look like a request go through the tunnel as bytes."""
    server, client, _ = opened(weir, origin)
    request = format_request("/second")
    client.send(request)
    assert client.read_exactly(len(request)) == request
    assert len(server.requests) == 1
