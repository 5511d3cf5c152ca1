"""Records in every shape, in both directions: nothing that TLS has decrypted is forgotten, no worker turns in vain, and
none is kept by one connection alone."""
# ctest: waits
# ctest: tsan
import fcntl
import os
import random
import shutil
import socket
import ssl
import subprocess
import termios
import threading
import time

import pytest
from support.client import Closed, Connection, Late, format_request
from support.origin import response
from support.http import memory_is_below
from support.sockets import has_read_all
from support.tls import ONLY_1_2, ONLY_1_3, Authority, TlsConnection, client_context, fetch_tls, hello, host, server_context
from support.tls_records import RecordConnection, cpu_seconds, with_records
from support.wait import SLOWNESS, free_port, wait_for

VERSIONS = {"1.2": ONLY_1_2, "1.3": ONLY_1_3}
BODY = random.Random(6).randbytes(300_000)


@pytest.fixture(name="pair", scope="module")
def pair_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority")).issue("localhost")


@pytest.fixture(name="site")
def site_fixture(weir, pair):
    """site(origin's URL) starts a weir with TLS and one worker, so that whoever keeps it is noticed."""

    def start(url, lines="", workers=1, inside=""):
        port = free_port()
        text = f"Listen 127.0.0.1:{port} https\nLogLevel info\nMaxKeepAliveRequests 0\n{lines}\n"
        return weir(text + host(port, "localhost", pair, inside, url), workers=workers)

    return start


@pytest.fixture(name="context", params=VERSIONS)
def context_fixture(request):
    return client_context(versions=VERSIONS[request.param])


def echo_length(connection):
    """Answers with the length of what came and its sum."""
    while (request := connection.read_request()) is not None:
        connection.answer(f"{len(request.body)} {sum(request.body)}".encode())


def expected(body):
    return f"{len(body)} {sum(body)}".encode()


def assert_idle(proxy, seconds=1.0):
    """The process does nothing while nothing happens."""
    time.sleep(0.1 * SLOWNESS)
    before = cpu_seconds(proxy.pid)
    time.sleep(seconds)
    used = cpu_seconds(proxy.pid) - before
    assert used < 0.25 * seconds, f"{used:.2f} s of CPU time in {seconds:.2f} s in which nothing happened"


# --- requests ---


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_handshake_and_request_in_pieces(site, origin, context, piece):
    proxy = site(origin(echo_length).url)
    with RecordConnection(proxy.port, context, piece) as client:
        body = BODY[: 300 * piece]
        sealed = client.seal(format_request("/", "POST", body=body), record=1 if piece == 1 else 900)
        client.send_sealed(sealed, piece=piece)
        assert client.read_response().body == expected(body)
    assert_idle(proxy)


@pytest.mark.parametrize("record", [1, 100, 16384])
def test_many_requests_in_one_go(site, origin, context, record):
    """More than the buffers hold, while the origin takes its time for the first."""
    gate = threading.Event()

    def script(connection):
        while (request := connection.read_request()) is not None:
            gate.wait(20)
            connection.answer(request.target.encode())

    proxy = site(origin(script).url)
    count = 120 if record > 1 else 30
    requests = b"".join(format_request(f"/{i}", headers={"X-Fill": "x" * 800}) for i in range(count))
    with RecordConnection(proxy.port, context, deadline=20) as client:
        sender = threading.Thread(target=client.send_sealed, args=[client.seal(requests, record)])
        sender.start()
        time.sleep(0.3)
        gate.set()
        for i in range(count):
            assert client.read_response().body == f"/{i}".encode()
        sender.join()
    assert_idle(proxy)


def test_a_long_head_behind_a_request_that_waits(site, origin, context):
    """It fills the buffer to the last byte, and its end waits in the TLS connection: the socket has nothing to tell."""
    gate = threading.Event()

    def script(connection):
        while (request := connection.read_request()) is not None:
            gate.wait(20)
            connection.answer(request.target.encode())

    server = origin(script)
    proxy = site(server.url)
    fields = {f"X-{i}": "x" * 4000 for i in range(8)}
    head = format_request("/second", headers=fields)
    fields["X-8"] = "x" * (32768 + 100 - len(head) - len("X-8: \r\n"))
    with RecordConnection(proxy.port, context) as client:
        client.send(format_request("/first"))
        server.wait_for_requests(1)
        client.send_sealed(client.seal(format_request("/second", headers=fields)))
        wait_for(lambda: has_read_all(proxy.port, client.socket.raw), 10, "weir to take all that came")
        gate.set()
        assert client.read_response().body == b"/first"
        assert client.read_response().body == b"/second"


@pytest.mark.parametrize("record", [50, 3000, 16384])
@pytest.mark.parametrize("piece", [None, 16384 + 300])
def test_upload_to_a_slow_origin(site, origin, context, record, piece):
    """Its buffers fill, and empty, and fill: reading stops and begins again in the middle of records."""

    def script(connection):
        request = connection.read_head()
        body = b""
        for count in [1, 20_000, 1, 100_000]:
            time.sleep(0.05)
            body += connection.read_exactly(count)
        request.body = body + connection.read_exactly(len(BODY) - len(body))
        connection.answer(expected(request.body))

    proxy = site(origin(script).url)
    with RecordConnection(proxy.port, context, deadline=20) as client:
        client.send_sealed(client.seal(format_request("/", "POST", body=BODY), record), piece)
        assert client.read_response().body == expected(BODY)


def test_an_upload_whose_last_records_wait_in_the_buffers(site, origin, context):
    """All of it is there before the origin reads: at the end no event of the client's socket helps."""
    gate = threading.Event()

    def script(connection):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        gate.wait(20)
        echo_length(connection)

    proxy = site(origin(script).url)
    for round_number in range(3):
        gate.clear()
        body = BODY[: 60_000 + round_number * 7001]
        with RecordConnection(proxy.port, context, deadline=20) as client:
            client.send_sealed(client.seal(format_request("/", "POST", body=body), 5000 + round_number))
            wait_for(lambda raw=client.socket.raw: has_read_all(proxy.port, raw), 10, "weir to take all that came")
            gate.set()
            assert client.read_response().body == expected(body)


def test_the_end_in_the_segment_of_the_data(site, origin, context):
    """A body that its sender ends too early: seen at once, though the connection itself stays open."""
    proxy = site(origin(echo_length).url)
    with RecordConnection(proxy.port, context) as client:
        request = format_request("/", "POST", headers={"Content-Length": "1000"}) + b"x" * 100
        client.send_sealed(client.seal(request) + client.socket.seal_end())
        begin = time.monotonic()
        try:
            client.read_to_end()
        except ssl.SSLError:
            pass
        assert time.monotonic() - begin < 5 * SLOWNESS
    with RecordConnection(proxy.port, context) as client:
        client.send_sealed(client.seal(format_request("/", "POST", body=b"whole")) + client.socket.seal_end())
        raw = client.socket.raw
        got = b""
        raw.settimeout(client.deadline)
        while data := raw.recv(65536):
            got += data
        assert len(got) > 100  # the answer, sealed; Python reads nothing behind its own end
    assert_idle(proxy)


def test_half_closed_sockets(site, origin, context):
    """The peer's FIN without TLS's end, in each phase."""
    proxy = site(origin(echo_length).url)
    with RecordConnection(proxy.port, context) as client:
        client.half_close()
        assert client.is_closed()
    with RecordConnection(proxy.port, context) as client:
        client.send_sealed(client.seal(format_request("/", "POST", body=b"whole")))
        client.half_close()
        assert client.read_response().body == expected(b"whole")
        assert client.is_closed()
    with RecordConnection(proxy.port, context) as client:
        client.send_sealed(client.seal(format_request("/", "POST", body=b"half a record"))[:-3])
        client.half_close()
        client.read_to_end()
    assert_idle(proxy)


# --- responses ---


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_slow_reader_with_full_buffers(site, origin, context, framing):
    body = BODY * 20
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    proxy = site(origin(chunked if framing == "chunked" else response(body)).url)
    with RecordConnection(proxy.port, context, receive_buffer=4096, deadline=60) as client:
        client.send(format_request())
        time.sleep(0.3)
        assert_idle(proxy)
        got = client.read_response()
        assert got.body == body
        client.send(format_request())
        assert client.read_response().body == body


def test_a_reader_that_leaves_while_bytes_wait(site, origin, context):
    proxy = site(origin(response(BODY * 20)).url)
    for _ in range(10):
        client = RecordConnection(proxy.port, context, receive_buffer=4096)
        client.send(format_request())
        client.read_some()
        client.reset()
    wait_for(lambda: proxy.descriptors() < 40)
    assert_idle(proxy)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
def test_key_updates(site, origin):
    """K asks for the other side's too, k does not; each between requests and within one."""
    proxy = site(origin(response(b"answer ")).url)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-tls1_3", "-quiet", "-no_ign_eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        got = []
        reader = threading.Thread(target=lambda: got.extend(iter(lambda: process.stdout.read1(65536), b"")))
        reader.start()

        def is_taken():
            return fcntl.ioctl(process.stdin, termios.FIONREAD, b"\0" * 4) == b"\0" * 4

        def say(text):
            """openssl takes for a command only what begins a piece that it reads, so each is read before the next comes."""
            process.stdin.write(text)
            process.stdin.flush()
            wait_for(is_taken, 10, "openssl to read", every=0.002)

        for number in range(1, 21):
            say(b"K\n" if number % 2 else b"k\n")
            say(b"GET / HTTP/1.1\r\n")
            say(b"K\n")
            say(b"Host: localhost\r\n\r\n")
            wait_for(lambda wanted=number: b"".join(got).count(b"answer ") == wanted, 10, lambda: got)
        for _ in range(50):
            say(b"K\n")
        assert_idle(proxy)
        process.stdin.close()
        process.terminate()
        reader.join()


# --- origins ---


@pytest.fixture(name="secure", params=VERSIONS)
def secure_fixture(request, pair):
    return server_context(pair, versions=VERSIONS[request.param])


PROXY_TLS = "SSLProxyEngine On\nSSLProxyVerify none"


def url_of(server):
    return server.url.replace("http:", "https:")


@pytest.mark.parametrize("record, piece", [(1, None), (100, 1), (5000, 3001), (16384, None), (16384, 16384 + 500)])
def test_an_origins_records_in_every_shape(site, origin, secure, record, piece):
    body = BODY[: 2000 if 1 in (record, piece) else len(BODY)]

    def script(connection):
        while connection.read_request() is not None:
            connection.socket.send_sealed(connection.socket.seal(response(body), record), piece)

    proxy = site(url_of(origin(with_records(secure, script))), inside=PROXY_TLS)
    with TlsConnection(proxy.port) as client:
        for _ in range(5):
            assert client.request().body == body
    assert_idle(proxy)


def test_an_origins_end_in_the_segment_of_its_data(site, origin, secure):
    """A body that ends with TLS's end, of an origin that waits for ours before it closes."""

    def script(connection):
        connection.read_request()
        answer = connection.socket.seal(b"HTTP/1.0 200 OK\r\n\r\nall of it")
        connection.socket.send_sealed(answer + connection.socket.seal_end())
        try:
            while connection.socket.raw.recv(4096):
                pass
        except OSError:
            pass

    proxy = site(url_of(origin(with_records(secure, script))), inside=PROXY_TLS)
    for _ in range(3):
        begin = time.monotonic()
        assert fetch_tls(proxy.port).body == b"all of it"
        assert time.monotonic() - begin < 5 * SLOWNESS
    assert_idle(proxy)


def test_an_origins_large_answer_to_a_slow_reader(site, origin, secure):
    """The client takes no more while records wait behind the origin's buffer, and then the origin has sent all."""

    def script(connection):
        while connection.read_request() is not None:
            connection.socket.send_sealed(connection.socket.seal(response(BODY * 10), 10_000))

    proxy = site(url_of(origin(with_records(secure, script))), inside=PROXY_TLS)
    with RecordConnection(proxy.port, receive_buffer=4096, deadline=60) as client:
        for _ in range(3):
            client.send(format_request())
            time.sleep(0.3)
            assert client.read_response().body == BODY * 10
    assert_idle(proxy)


def test_an_upload_to_a_secure_origin_that_reads_slowly(site, origin, secure):
    def script(connection):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        request = connection.read_head()
        body = b""
        while len(body) < len(BODY):
            time.sleep(0.01)
            body += connection.read_exactly(min(20_000, len(BODY) - len(body)))
        connection.answer(expected(body))
        assert request is not None

    proxy = site(url_of(origin(with_records(secure, script))), inside=PROXY_TLS)
    with RecordConnection(proxy.port, deadline=30) as client:
        client.send_sealed(client.seal(format_request("/", "POST", body=BODY), 3000))
        assert client.read_response().body == expected(BODY)


# --- one among others ---


def test_a_fast_upload_does_not_keep_the_worker(site, origin):
    """A sender that always has more, and an origin that always takes it: others are served all the same."""
    over = threading.Event()

    def script(connection):
        request = connection.read_head()
        if request.method == "GET":
            connection.answer(b"meanwhile")
            return
        while not over.is_set() and connection.socket.recv(1 << 20):
            pass

    proxy = site(origin(script).url)
    load = []
    for _ in range(2):
        client = RecordConnection(proxy.port, client_context(versions=ONLY_1_2))
        client.send(format_request("/", "POST", headers={"Content-Length": str(1 << 40)}))
        load.append(client)

    def send(client):
        try:
            with client:
                while not over.is_set():
                    client.send(bytes(1 << 20))
        except (OSError, ValueError, Closed, Late):
            pass

    threads = [threading.Thread(target=send, args=[client]) for client in load]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            begin = time.monotonic()
            assert fetch_tls(proxy.port).body == b"meanwhile"
            assert time.monotonic() - begin < 3 * SLOWNESS
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_idle_states_cost_nothing(site, origin, context):
    """One of each kind of connection that waits, all at once."""
    gate = threading.Event()

    def script(connection):
        connection.read_head()
        gate.wait(20)

    proxy = site(origin(script).url, "RequestReadTimeout handshake=60 header=60 body=60")
    half_hello = Connection(proxy.port)
    half_hello.send(hello()[:50])
    idle = RecordConnection(proxy.port, context)
    half_record = RecordConnection(proxy.port, context)
    half_record.send_sealed(half_record.seal(b"GET / HTTP/1.1\r\n")[:-1])
    half_head = RecordConnection(proxy.port, context)
    half_head.send(b"GET / HTTP/1.1\r\n")
    full = RecordConnection(proxy.port, context)
    full.socket.raw.settimeout(0.5)
    try:
        full.socket.sendall(format_request("/", "POST", headers={"Content-Length": str(1 << 30)}) + bytes(40 << 20))
    except TimeoutError:
        pass
    pipelined = RecordConnection(proxy.port, context)
    pipelined.socket.raw.settimeout(0.5)
    try:
        pipelined.socket.sendall(format_request() * 100_000)
    except TimeoutError:
        pass
    ended = RecordConnection(proxy.port, context)
    ended.send_sealed(ended.seal(format_request()) + ended.socket.seal_end())
    assert_idle(proxy, 2.0)
    for client in (half_hello, idle, half_record, half_head, full, pipelined, ended):
        client.close()
    gate.set()


def test_short_connections_in_a_loop(site, origin, context):
    """Full handshakes and resumed ones; each connection is closed in another way."""
    proxy = site(origin(response(b"ok")).url, workers=2)
    session = None
    before = None
    for number in range(150):
        with TlsConnection(proxy.port, context, session=session) as client:
            assert client.request().body == b"ok"
            session = client.socket.session if number % 3 else None
            if number % 5 == 0:
                client.reset()
            elif number % 5 == 1:
                client.socket.settimeout(5)
                client.socket.unwrap()
        if number == 30:
            before = proxy.descriptors()
    wait_for(lambda: proxy.descriptors() <= before + 4)
    assert_idle(proxy)


# --- many hosts, many reloads ---


def test_many_hosts_share_a_certificate(weir, origin, pair):
    port = free_port()
    url = origin(response(b"ok")).url
    few = "\n".join(host(port, f"h{i}.example", pair, "", url) for i in range(10))
    many = "\n".join(host(port, f"h{i}.example", pair, "", url) for i in range(10_000))
    begin = time.monotonic()
    small = weir(f"Listen 127.0.0.1:{port} https\n{few}")
    base = small.memory()
    small.stop()
    proxy = weir(f"Listen 127.0.0.1:{port} https\n{many}")
    assert time.monotonic() - begin < 15 * SLOWNESS
    assert fetch_tls(port, name="h9999.example").status == 200
    assert memory_is_below(proxy, base + 10_000 * 30_000)


def test_reloads_do_not_leak(weir, origin, pair, directory):
    port = free_port()
    url = origin(response(b"ok")).url
    config = f"Listen 127.0.0.1:{port} https\nLogLevel info\n" + host(port, "localhost", pair, "", url)
    proxy = weir(config)

    def rounds(count):
        for number in range(count):
            if number % 2:
                os.utime(pair[0])
            proxy.reload(config + f"# {number}\nTimeOut {20 + number % 7}\n", "reloaded")
            assert fetch_tls(port).status == 200

    rounds(10)
    memory, descriptors = proxy.memory(), proxy.descriptors()
    rounds(50)
    wait_for(lambda: proxy.descriptors() <= descriptors + 2)
    assert memory_is_below(proxy, memory + 8_000_000)  # sanitizers keep what was freed, and look for leaks themselves
    assert_idle(proxy)
