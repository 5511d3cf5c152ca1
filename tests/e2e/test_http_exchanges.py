"""The course of an exchange: 100-continue, other interim answers, early answers, retries, half-closed clients, big bodies."""
import hashlib
import threading

import pytest
from support.apache import content
from support.client import Late, format_request
from support.http import memory_is_below
from support.origin import answering, response
from support.wait import SLOWNESS, wait_for

GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
EXPECTING = "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
CHUNKED = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

# --- interim answers -------------------------------------------------------------------------------------------------


def test_100_continue_goes_from_end_to_end(weir, origin, connect):
    """The client waits for the origin's word, and the origin for the client's body."""

    def script(connection):
        request = connection.read_head()
        assert request.header("Expect").lower() == "100-continue"
        with pytest.raises(Late):
            connection.read_some(0.3)
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        connection.answer(connection.read_body(request))

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port).send(EXPECTING)
    assert client.read_head().status == 100
    client.send("hello")
    assert client.read_response().body == b"hello"
    server.check()


@pytest.mark.parametrize("status", ["102 Processing", "103 Early Hints"])
def test_another_interim_answer_is_no_leave_to_send(weir, origin, connect, status):
    """The client goes on waiting, and its time for the body does not begin."""

    def script(connection):
        request = connection.read_head()
        connection.send(f"HTTP/1.1 {status}\r\n\r\n")
        with pytest.raises(Late):
            connection.read_some(1.5)
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        connection.answer(connection.read_body(request))

    server = origin(script)
    proxy = weir(f"RequestReadTimeout body={max(1, round(SLOWNESS / 2))}\nProxyTimeout 60\nProxyPass / {server.url}")
    client = connect(proxy.port).send(EXPECTING)
    assert client.read_head().status == int(status[:3])
    assert client.read_head().status == 100
    client.send("hello")
    assert client.read_response().body == b"hello"
    server.check()


def test_an_origin_that_does_not_say_continue_gets_the_body_all_the_same(weir, origin, connect):
    """The client stops waiting after a while, as RFC 9110, 10.1.1 tells it."""
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port).send(EXPECTING)
    server.wait_for_connections(1)
    client.send("hello")
    assert client.read_response().status == 200
    assert server.requests[0].body == b"hello"


@pytest.mark.parametrize("status", ["401 Unauthorized", "413 Content Too Large", "417 Expectation Failed", "302 Found"])
@pytest.mark.parametrize("ending", ["close", "keep"])
def test_an_origin_that_refuses_an_expectation(weir, origin, connect, status, ending):
    """The answer comes although the body was never sent; whatever the client sends next is not taken for anything else."""

    def script(connection):
        connection.read_head()
        connection.answer(b"no", status)
        if ending == "keep":
            connection.wait_closed()

    server = origin(script, response(b"next"))
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    client = connect(proxy.port).send(EXPECTING)
    answer = client.read_response()
    assert (answer.status, answer.body) == (int(status[:3]), b"no")
    if "close" in (answer.header("Connection") or ""):
        assert client.is_closed()
    else:
        assert not client.is_closed(0.3), "closed without having said so"
        client.send(b"hello" + format_request("/next"))
        assert client.read_response().body == b"next"
    assert proxy.get("/").body == b"next"


def test_an_expectation_of_an_http_1_0_client_means_nothing(weir, origin, connect):
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send("POST / HTTP/1.0\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
    assert client.read_head().status == 200
    assert server.requests[0].all("Expect") == []


def test_an_expectation_with_a_chunked_body(weir, origin, connect):
    def script(connection):
        request = connection.read_head()
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        connection.answer(connection.read_body(request))

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(CHUNKED.replace("\r\n\r\n", "\r\nExpect: 100-Continue\r\n\r\n"))
    assert client.read_head().status == 100
    client.send("5\r\nhello\r\n0\r\n\r\n")
    assert client.read_response().body == b"hello"


def test_early_hints_are_passed_on_at_once(weir, origin, connect):
    goes_on = []

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: x\r\nX: secret\r\n\r\n")
        wait_for(lambda: goes_on)
        connection.answer(b"hello")

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port).send(GET)
    hints = client.read_head()
    assert hints.status == 103
    assert hints.header("Link") == "</a.css>; rel=preload"
    assert hints.all("X") == []
    assert hints.all("Content-Length") == [] and hints.all("Transfer-Encoding") == []
    goes_on.append(True)
    assert client.read_response().body == b"hello"


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints", "199 Whatever"])
def test_interim_answers_nobody_asked_for_do_no_harm(weir, origin, connect, status):
    server = origin(f"HTTP/1.1 {status}\r\n\r\n".encode() + response(b"hello"))
    client = connect(weir(f"ProxyPass / {server.url}").port)
    for _ in range(3):
        assert client.request("/").body == b"hello"


@pytest.mark.parametrize("count, status", [(16, 200), (17, 502)])
def test_at_most_16_interim_answers(weir, origin, count, status):
    server = origin(b"HTTP/1.1 103 Early Hints\r\n\r\n" * count + response(b"hello"))
    assert weir(f"ProxyPass / {server.url}").get("/").status == status


# --- answers before the end of the request -----------------------------------------------------------------------------


def test_an_answer_before_the_body_has_come(weir, origin, connect):
    """It is passed on at once; the origin's connection is not used for anybody else before the body is through."""

    def script(connection):
        connection.read_head()
        connection.answer(b"early", "403 Forbidden")
        connection.wait_closed()

    server = origin(script, response(b"next"))
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    client = connect(proxy.port).send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nhello")
    assert client.read_response().body == b"early"
    assert proxy.get("/").body == b"next"


def test_an_answer_in_the_middle_of_an_upload(weir, origin, connect):
    """The origin answers, closes, and reads no more; the client, still sending, gets the answer."""

    def script(connection):
        connection.read_head()
        connection.read_exactly(100_000)
        connection.answer(b"enough", "413 Content Too Large", {"Connection": "close"})

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\n\r\n")
    try:
        client.send(b"b" * 400_000)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert client.read_response().body == b"enough"


def test_a_whole_response_while_the_request_goes_on(weir, origin, connect):
    """The origin answers at once and reads the body all the same: both are complete, and both connections stay."""

    def script(connection):
        while (request := connection.read_head()) is not None:
            if request.method == "POST":
                connection.answer(b"early")
            connection.read_body(request)
            if request.method == "GET":
                connection.answer(b"later")

    server = origin(script)
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello")
    answer = client.read_response()
    assert answer.body == b"early"
    if "close" not in (answer.header("Connection") or ""):
        client.send(b"world" + format_request("/"))
        assert client.read_response().body == b"later"


# --- retries ---------------------------------------------------------------------------------------------------------


def serves_one_then_closes(connection):
    """Answers one request; reads the second, and closes without a byte."""
    connection.read_request()
    connection.answer(b"first")
    connection.read_request()


def closes(connection):
    connection.read_request()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_retry_when_a_reused_connection_closes(weir, origin, connect, method):
    server = origin(serves_one_then_closes, response(b"again"))
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    assert client.request("/one").body == b"first"
    assert client.request("/two", method).status == 200
    assert [request.target for request in server.requests] == ["/one", "/two", "/two"]
    assert len(server.connections) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "PURGE"])
@pytest.mark.parametrize("body", [None, b"hello"])
def test_no_retry_of_what_may_change_something(weir, origin, connect, method, body):
    server = origin(serves_one_then_closes, response(b"again"))
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    assert client.request("/one").body == b"first"
    assert client.request("/two", method, body=body).status == 502
    assert [request.target for request in server.requests] == ["/one", "/two"]


def test_no_retry_on_a_fresh_connection(weir, origin):
    server = origin(closes)
    assert weir(f"ProxyPass / {server.url}").get("/").status == 502
    assert len(server.requests) == 1


def test_only_one_retry(weir, origin, connect):
    server = origin(serves_one_then_closes, closes)
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    assert client.request("/one").body == b"first"
    assert client.request("/two").status == 502
    assert len(server.requests) == 3


def test_no_retry_after_a_byte_of_the_response(weir, origin, connect):
    def script(connection):
        connection.read_request()
        connection.answer(b"first")
        connection.read_request()
        connection.send("H")

    server = origin(script, response(b"again"))
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    assert client.request("/one").body == b"first"
    assert client.request("/two").status == 502
    assert len(server.requests) == 2


def test_no_retry_of_a_get_with_a_body(weir, origin, connect):
    server = origin(serves_one_then_closes, response(b"again"))
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    assert client.request("/one").body == b"first"
    assert client.request("/two", body=b"hello").status in (200, 502)
    sent = [request for request in server.requests if request.target == "/two"]
    assert all(request.body == b"hello" for request in sent)


def test_a_connection_that_the_origin_closed_while_idle_is_not_used(weir, origin, connect):
    """Not even for what may not be sent twice."""

    def script(connection):
        connection.read_request()
        connection.answer(b"first")

    server = origin(script)
    client = connect(weir(f"Workers 1\nProxyPass / {server.url}").port)
    for _ in range(5):
        assert client.request("/", "POST", body=b"hello").body == b"first"
        wait_for(lambda: all(connection.over for connection in server.connections))
    assert len(server.connections) == 5


# --- clients that close one half ----------------------------------------------------------------------------------------


def test_a_client_that_half_closes_is_served_to_the_end(weir, origin, connect):
    goes_on = []

    def script(connection):
        connection.read_request()
        wait_for(lambda: goes_on)
        connection.answer(content(1_000_000))

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port).send(GET)
    client.half_close()
    server.wait_for_requests(1)
    goes_on.append(True)
    assert client.read_response().body == content(1_000_000)
    assert client.is_closed()


def test_a_client_that_half_closes_after_its_upload(weir, origin, connect):
    server = origin(lambda connection: connection.answer(connection.read_request().body))
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(format_request("/", "POST", body=content(500_000))).half_close()
    assert client.read_response().body == content(500_000)


def test_an_origin_that_half_closes_after_its_answer(weir, origin, connect):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\n\r\n" + "a" * 100_000)
        connection.half_close()
        connection.wait_closed()

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port).send(GET)
    assert client.read_response().body == b"a" * 100_000


def test_a_client_that_leaves_sets_the_origin_free(weir, origin, connect):
    """Its origin's connection is closed, not kept until the answer comes."""

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while not connection.over:
            connection.send(b"a" * 100_000)

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port).send(GET)
    client.read_head()
    client.reset()
    wait_for(lambda: server.connections[0].over, what="weir to close the origin's connection")


# --- big bodies ------------------------------------------------------------------------------------------------------

BIG = 30_000_000


def digest(connection, count):
    """Reads count bytes in small memory."""
    total = hashlib.sha256()
    while count > 0:
        data = connection.read_exactly(min(count, 1_000_000))
        total.update(data)
        count -= len(data)
    return total.digest()


def test_a_big_download(weir, origin, connect):
    body = content(BIG)
    server = origin(response(body))
    client = connect(weir(f"ProxyPass / {server.url}").port, deadline=60).send(GET)
    assert client.read_head().header("Content-Length") == str(BIG)
    assert digest(client, BIG) == hashlib.sha256(body).digest()
    assert client.request("/", "HEAD").status == 200


def chunks(body, sizes=(1, 7, 1000, 16384, 70000)):
    """The chunked coding of a body, in chunks of changing sizes."""
    pieces, start, turn = [], 0, 0
    while start < len(body):
        piece = body[start : start + sizes[turn % len(sizes)]]
        pieces.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        start += len(piece)
        turn += 1
    return b"".join(pieces) + b"0\r\n\r\n"


def test_a_big_chunked_download(weir, origin, connect):
    body = content(BIG // 10)
    server = origin(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(body))
    client = connect(weir(f"ProxyPass / {server.url}").port, deadline=60)
    for _ in range(2):
        assert client.request("/").body == body


def test_a_big_chunked_download_for_an_http_1_0_client(weir, origin, connect):
    body = content(BIG // 10)
    server = origin(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(body))
    client = connect(weir(f"ProxyPass / {server.url}").port, deadline=60).send("GET / HTTP/1.0\r\n\r\n")
    assert client.read_response().body == body


def test_a_big_download_without_a_length(weir, origin, connect):
    body = content(BIG // 10)
    server = origin(answering(b"HTTP/1.1 200 OK\r\n\r\n" + body, close=True))
    client = connect(weir(f"ProxyPass / {server.url}").port, deadline=60)
    for _ in range(2):
        assert client.request("/").body == body


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_big_upload(weir, origin, connect, chunked):
    body = content(BIG // 3)
    server = origin(lambda connection: connection.answer(hashlib.sha256(connection.read_request().body).hexdigest().encode()))
    client = connect(weir(f"ProxyPass / {server.url}").port, deadline=60)
    client.send(CHUNKED.encode() + chunks(body) if chunked else format_request("/", "POST", body=body))
    assert client.read_response().body.decode() == hashlib.sha256(body).hexdigest()


def test_an_upload_and_a_download_at_once(weir, origin, connect):
    """The origin echoes while the client sends: neither direction waits for the other's end."""
    size = BIG // 3

    def script(connection):
        connection.read_head()
        connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        left = size
        while left > 0:
            data = connection.read_some()
            connection.send(data)
            left -= len(data)

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port, deadline=60)
    body = content(size)
    client.send(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n")
    sender = threading.Thread(target=client.socket.sendall, args=(body,), daemon=True)
    sender.start()
    assert client.read_response().body == body
    sender.join()


def test_a_slow_reader_holds_the_origin_back(weir, origin, connect):
    """weir takes no more from the origin than its bounded buffers hold while the client reads nothing."""
    sent = []

    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        for _ in range(2000):
            connection.send(b"a" * 100_000)
            sent.append(100_000)

    server = origin(script)
    proxy = weir(f"ProxyPass / {server.url}")
    before = proxy.memory()
    client = connect(proxy.port, receive_buffer=4096).send(GET)
    client.read_head()
    wait_for(lambda: sent and len(sent) == wait_a_moment(sent), what="the origin to be held back")
    assert sum(sent) < 50_000_000
    assert memory_is_below(proxy, before + 10_000_000)


def wait_a_moment(sent):
    """How many there are when for half a second no more came, else another number."""
    count = len(sent)
    try:
        wait_for(lambda: len(sent) != count, 0.5)
    except AssertionError:
        return count
    return -1
