"""Clients that mean no good: rubbish, halves, silence, renegotiation, floods. Each costs little and is closed."""
# ctest: waits
# ctest: tsan
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from support.client import Connection
from support.origin import response
from support.http import memory_is_below
from support.tls import ONLY_1_2, Authority, TlsConnection, client_context, fetch_tls, hello, host
from support.wait import SLOWNESS, free_port, wait_for


@pytest.fixture(name="pair", scope="module")
def pair_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority")).issue("localhost")


@pytest.fixture(name="site")
def site_fixture(weir, origin, pair):
    def start(lines=""):
        port = free_port()
        text = f"Listen 127.0.0.1:{port} https\nLogLevel info\n{lines}\n"
        return weir(text + host(port, "localhost", pair, "", origin(response(b"ok")).url))

    return start


RUBBISH = {
    "zeros": b"\0" * 1000,
    "random": os.urandom(5000),
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "data": b"\x17\x03\x03\x00\x10" + b"x" * 16,
    "huge record": b"\x16\x03\x01\xff\xff" + b"\x01" * 70000,
    "hello in pieces": b"".join(b"\x16\x03\x01\x00\x01" + bytes([byte]) for byte in hello()[5:60]) + b"\x15\x03\x01\x00\x02\x02\x28",
    "long hello": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\x03" * 16380,
    "bad name": hello("a.example").replace(b"a.example", b"a\0example"),
    "ssl 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01" * 64,
}


@pytest.mark.parametrize("case", RUBBISH)
def test_rubbish_is_closed(site, case):
    proxy = site()
    with Connection(proxy.port) as client:
        try:
            client.send(RUBBISH[case])
        except (BrokenPipeError, ConnectionResetError):
            pass
        if case == "bad name":
            assert client.read_some() != b""
        else:
            client.read_to_end()
    assert fetch_tls(proxy.port).status == 200


@pytest.mark.parametrize("cut", [0, 1, 5, 6, 50, 200])
def test_half_a_hello_is_closed_in_time(site, cut):
    proxy = site("RequestReadTimeout handshake=1 header=60")
    with Connection(proxy.port) as client:
        client.send(hello()[:cut])
        begin = time.monotonic()
        client.read_to_end(10)
        assert time.monotonic() - begin < 5 * SLOWNESS
    if cut:
        proxy.wait_for_log("no TLS: the handshake took too long")


def test_a_hello_that_drips_is_closed_in_time(site):
    proxy = site("RequestReadTimeout handshake=2 header=60")
    begin = time.monotonic()
    with Connection(proxy.port) as client:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            client.send(hello() * 50, piece=1, pause=0.02)
    assert time.monotonic() - begin < 8 * SLOWNESS


def test_without_a_bound_of_its_own_the_handshake_has_the_heads(site):
    proxy = site("RequestReadTimeout handshake=0 header=1")
    with Connection(proxy.port) as client:
        client.send(hello()[:50])
        assert client.read_to_end(10) == b""


def test_many_halves_cost_bounded_memory(site):
    proxy = site("RequestReadTimeout handshake=30")
    clients = [Connection(proxy.port) for _ in range(20)]
    before = proxy.memory()
    clients += [Connection(proxy.port) for _ in range(400)]
    for client in clients:
        client.send(hello()[:-1])
    assert fetch_tls(proxy.port).status == 200
    assert memory_is_below(proxy, before + 400 * 100_000)
    for client in clients:
        client.close()
    proxy.send_signal(1)
    wait_for(lambda: re.search(r"client_connections [1-9]?\d,|reloaded; up", proxy.log()))


def test_no_renegotiation(site):
    proxy = site()
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-tls1_2", "-state"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    got = []
    reader = threading.Thread(target=lambda: got.extend(iter(lambda: process.stdout.read1(65536), b"")))
    reader.start()
    try:
        wait_for(lambda: b"Verify return code" in b"".join(got), 10, lambda: got)
        process.stdin.write(b"R\n")
        process.stdin.flush()
        wait_for(lambda: re.search(b"no.renegotiation", b"".join(got)), 10, lambda: b"".join(got)[-2000:])
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(10 * SLOWNESS)
        reader.join()


def test_a_stop_in_the_middle(site):
    proxy = site()
    for _ in range(30):
        client = Connection(proxy.port)
        client.send(hello())
        client.read_some()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    proxy.wait_for_log("no TLS: ")
    wait_for(lambda: proxy.descriptors() < 60)
    assert fetch_tls(proxy.port).status == 200


def test_rubbish_behind_the_handshake(site):
    proxy = site()
    with TlsConnection(proxy.port, client_context(versions=ONLY_1_2)) as client:
        assert client.request("/").status == 200
        raw = socket.socket(fileno=os.dup(client.socket.fileno()))
        raw.send(b"\x17\x03\x03\x00\x30" + os.urandom(48))
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            raise_at_end(client)
        raw.close()
    assert fetch_tls(proxy.port).status == 200


def raise_at_end(client):
    while client.read_some():
        pass
    raise ConnectionResetError


def test_too_large_heads_are_refused_over_tls_too(site):
    proxy = site()
    with TlsConnection(proxy.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 9000 + b"\r\n\r\n")
        assert client.read_response().status == 431
    with TlsConnection(proxy.port) as client:
        client.send(b"\x16\x03\x01")
        assert client.read_response().status == 400
