"""Shaping does not care for TLS: the same speeds, the same bytes."""
# ctest: exclusive
import re
import time

import pytest
from support.apache import content
from support.client import format_request
from support.origin import response
from support.tls import ONLY_1_2, ONLY_1_3, Authority, TlsConnection, client_context, host
from support.wait import free_port


@pytest.fixture(name="pair", scope="module")
def pair_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority")).issue("localhost")


@pytest.mark.parametrize("rate", [100_000, 2_000_000])
@pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3], ids=["1.2", "1.3"])
def test_paced_speed(weir, origin, pair, rate, versions):
    port = free_port()
    size = rate * 3
    server = origin(response(content(size)))
    lines = f"CBandSpeed {rate * 8 // 1000}kbps 0 0"
    weir(f"Listen 127.0.0.1:{port} https\n" + host(port, "localhost", pair, lines, server.url))
    with TlsConnection(port, client_context(versions=versions), deadline=60) as client:
        client.send(format_request("/"))
        begin = time.monotonic()
        assert client.read_response().body == content(size)
        took = time.monotonic() - begin
    first = min(16384, rate // 4)
    assert (size - first) / rate * 0.93 <= took <= size / rate * 1.15, f"{size / took:.0f} B/s instead of {rate}"


def test_bytes_that_count_are_those_of_http(weir, origin, pair):
    port, plain = free_port(), free_port()
    server = origin(response(content(50_000)))
    common = f'LogFormat "%p %O" bytes\nCustomLog bytes.log bytes\nListen 127.0.0.1:{plain}\n'
    proxy = weir(
        f"Listen 127.0.0.1:{port} https\n{common}"
        + host(port, "localhost", pair, "", server.url)
        + f"<VirtualHost *:{plain}>\nServerName localhost\nProxyPass / {server.url}\n</VirtualHost>\n"
    )
    with TlsConnection(port) as client:
        over_tls = client.request("/", host="localhost")
    with proxy.connect() as client:
        client.close()
    expected = len(over_tls.raw_head) + len(over_tls.body)
    proxy.wait_for_log(rf"\d+ {expected}\n", name="bytes.log")
    assert re.search(rf" {expected}\n", proxy.file("bytes.log"))
