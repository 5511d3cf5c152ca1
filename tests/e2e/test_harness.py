"""The harness itself: the real Apache without weir, and the scripted origins with the raw client."""
import hashlib
import subprocess

import pytest
from support.apache import content
from support.client import Closed, Late, fetch
from support.origin import answering, echoing, response


def test_apache_serves_files(apache):
    answer = fetch(apache.port, "/64k.txt")
    assert answer.status == 200
    assert answer.body == content(65536)


def test_apache_streams_a_cgi(apache, connect):
    client = connect(apache.port).send("GET /cgi-bin/slowly?harness HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.read_head().header("Transfer-Encoding") == "chunked"
    assert client.read_until(b"first\n")
    with pytest.raises(Late):
        client.read_until(b"last\n", deadline=0.3)
    apache.open_gate("harness")
    assert client.read_until(b"last\n")


def test_apache_counts_an_upload(apache):
    body = content(1_000_000)
    answer = fetch(apache.port, "/cgi-bin/upload", "POST", body=body)
    assert answer.body.split() == [b"1000000", hashlib.sha256(body).hexdigest().encode()]


def test_apache_stops_and_comes_back(apache):
    apache.stop(kill=True)
    with pytest.raises(ConnectionRefusedError):
        fetch(apache.port)
    apache.start()
    assert fetch(apache.port).status == 200


def test_an_origin_records_what_it_is_sent(origin, connect):
    server = origin(answering(response(b"one"), response(b"two")))
    client = connect(server.port)
    assert client.request("/a").body == b"one"
    assert client.request("/b", "POST", body=b"hello").body == b"two"
    assert server.received == (
        b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
        b"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
    )
    assert [request.target for request in server.requests] == ["/a", "/b"]
    server.check()


def test_an_origin_has_a_script_for_each_connection(origin):
    server = origin(lambda connection: connection.read_request(), echoing)
    with pytest.raises(Closed):
        fetch(server.port)
    assert fetch(server.port, "/second").body.startswith(b"GET /second HTTP/1.1\r\n")


def test_an_origin_reads_chunks_and_trailers(origin, connect):
    server = origin()
    client = connect(server.port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n", piece=7)
    assert client.read_response().status == 200
    assert server.requests[0].body == b"abc"
    assert server.requests[0].trailers == [("X-Sum", "7")]


def test_an_origin_on_a_unix_socket(origin, connect, directory):
    server = origin(path=f"{directory}/origin.sock")
    assert connect(path=server.path).request("/").body == b"ok"


def test_an_origin_stops_and_comes_back(origin):
    server = origin()
    server.stop()
    with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
        fetch(server.port)
    server.start()
    assert fetch(server.port).body == b"ok"


def test_curl_is_there():
    assert "curl" in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout
