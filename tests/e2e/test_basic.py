"""weir in front of the real Apache: what a browser, curl and wrk do all day."""
# ctest: tsan valgrind
import hashlib
import re
import subprocess

import pytest
from support.apache import SIZES, content
from support.client import Late, format_request
from support.wait import SLOWNESS


@pytest.fixture(name="proxy")
def proxy_fixture(weir, apache):
    return weir(f"ProxyPass / {apache.url}")


def test_the_index_page(proxy):
    answer = proxy.get("/")
    assert answer.status == 200
    assert answer.header("Content-Type") == "text/html"
    assert b"It is Apache" in answer.body


@pytest.mark.parametrize("name", SIZES)
def test_files_of_every_size(proxy, name):
    answer = proxy.get(f"/{name}.txt")
    assert answer.status == 200
    assert answer.header("Content-Length") == str(SIZES[name])
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(content(SIZES[name])).digest()


def test_many_files_over_one_connection(proxy, connect):
    client = connect(proxy.port)
    for _ in range(5):
        for name, size in SIZES.items():
            if size <= 65536:
                assert client.request(f"/{name}.txt").body == content(size)


def test_head_has_the_length_and_no_body(proxy, connect):
    client = connect(proxy.port)
    answer = client.request("/64k.txt", "HEAD")
    assert answer.status == 200
    assert answer.header("Content-Length") == "65536"
    assert client.request("/1.txt").body == content(1)


def test_not_modified(proxy, connect):
    client = connect(proxy.port)
    tag = client.request("/1k.txt").header("ETag")
    answer = client.request("/1k.txt", headers={"If-None-Match": tag})
    assert answer.status == 304
    assert answer.header("ETag") == tag
    assert client.request("/1k.txt").status == 200


def test_a_range(proxy):
    answer = proxy.get("/64k.txt", headers={"Range": "bytes=1000-1999"})
    assert answer.status == 206
    assert answer.header("Content-Range") == "bytes 1000-1999/65536"
    assert answer.body == content(65536)[1000:2000]


def test_what_is_not_there(proxy):
    answer = proxy.get("/nowhere")
    assert answer.status == 404
    assert b"was not found" in answer.body


def test_a_stream_arrives_while_it_is_written(proxy, apache, connect):
    client = connect(proxy.port).send(format_request("/cgi-bin/slowly?basic"))
    assert client.read_head().header("Transfer-Encoding") == "chunked"
    assert client.read_until(b"first\n")
    with pytest.raises(Late):
        client.read_until(b"last\n", deadline=0.3)
    apache.open_gate("basic")
    assert client.read_until(b"last\n")
    assert client.read_until(b"0\r\n\r\n")


def test_an_upload_of_20_mib(proxy):
    body = content(20 * 1024 * 1024)
    answer = proxy.get("/cgi-bin/upload", method="POST", body=body, deadline=60)
    assert answer.body.split() == [b"20971520", hashlib.sha256(body).hexdigest().encode()]


def test_an_upload_in_chunks(proxy, connect):
    body = content(300_000)
    client = connect(proxy.port)
    client.send("POST /cgi-bin/upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 7000):
        piece = body[start : start + 7000]
        client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
    client.send("0\r\n\r\n")
    assert client.read_response().body.split() == [b"300000", hashlib.sha256(body).hexdigest().encode()]


def test_a_client_that_leaves_in_the_middle(proxy, connect):
    """The next one is served as if nothing had happened."""
    for _ in range(5):
        client = connect(proxy.port, receive_buffer=4096).send(format_request("/10m.txt"))
        client.read_exactly(10_000)
        client.reset()
    assert proxy.get("/1k.txt").body == content(1024)


def test_apache_gone_and_back(proxy, apache):
    apache.stop(kill=True)
    try:
        assert proxy.get("/").status == 503
    finally:
        apache.start()
    assert proxy.get("/").status == 200


def test_curl(proxy, directory):
    result = subprocess.run(
        ["curl", "-sS", "--max-time", "30", "-o", f"{directory}/got", "-w", "%{http_code} %{size_download}"]
        + [f"{proxy.url}10m.txt"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "200 10485760"
    with open(f"{directory}/got", "rb") as file:
        assert file.read() == content(10485760)


def test_curl_uploads_with_expect(proxy, directory):
    body = content(3_000_000)
    with open(f"{directory}/body", "wb") as file:
        file.write(body)
    result = subprocess.run(
        ["curl", "-sS", "-v", "--max-time", "30", "-H", "Expect: 100-continue", "-T", f"{directory}/body"]
        + ["-X", "POST", f"{proxy.url}cgi-bin/upload"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split() == ["3000000", hashlib.sha256(body).hexdigest()]
    assert "HTTP/1.1 100 Continue" in result.stderr


@pytest.mark.parametrize("path", ["1k.txt", "64k.txt"])
def test_wrk_sees_no_error(proxy, path):
    seconds = 3
    result = subprocess.run(
        ["wrk", "-t2", "-c32", f"-d{seconds}s", "--timeout", f"{10 * SLOWNESS:.0f}s", f"{proxy.url}{path}"],
        capture_output=True,
        text=True,
        timeout=60 * SLOWNESS,
        check=True,
    ).stdout
    assert "Socket errors" not in result, result
    assert "Non-2xx" not in result, result
    assert int(re.search(r"(\d+) requests in", result).group(1)) > 100, result
