"""Pipelined requests are answered in order, whatever they are and however their bytes arrive."""
import pytest
from support.client import format_request
from support.http import memory_is_below
from support.origin import echoing, response
from support.sockets import has_read_all
from support.wait import wait_for


def by_target(connection):
    """Answers with the target; /slow waits for its turn."""
    while (request := connection.read_request()) is not None:
        if request.target.startswith("/slow"):
            wait_for(lambda: connection.origin.goes_on)
        connection.answer(request.target.encode() + request.body)


@pytest.fixture(name="front")
def front_fixture(weir, origin):
    def start(config="MaxKeepAliveRequests 0", script=by_target):
        server = origin(script)
        server.goes_on = False
        return weir(f"{config}\nProxyPass / {server.url}"), server

    return start


@pytest.mark.parametrize("piece", [None, 1, 3, 50])
def test_answers_come_in_order(front, piece):
    proxy, _ = front()
    client = proxy.connect().send(b"".join(format_request(f"/{number}") for number in range(20)), piece=piece)
    assert [client.read_response().body for _ in range(20)] == [f"/{number}".encode() for number in range(20)]


def test_a_slow_first_one_is_waited_for(front):
    proxy, server = front()
    client = proxy.connect().send(format_request("/slow") + format_request("/quick"))
    server.wait_for_requests(1)
    server.goes_on = True
    assert client.read_response().body == b"/slow"
    assert client.read_response().body == b"/quick"


def test_one_at_a_time_goes_to_the_origin(front):
    """The second may depend on the first: it is not sent before the first is answered."""
    proxy, server = front()
    client = proxy.connect().send(format_request("/slow") + format_request("/next"))
    server.wait_for_requests(1)
    assert not client.buffer
    assert [request.target for request in server.requests] == ["/slow"]
    server.goes_on = True
    assert [client.read_response().body for _ in range(2)] == [b"/slow", b"/next"]


@pytest.mark.parametrize("piece", [None, 7])
def test_methods_and_bodies_mixed(front, piece):
    proxy, _ = front()
    data = (
        format_request("/a", "POST", body=b"one")
        + format_request("/b", "HEAD")
        + b"PUT /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\nX: y\r\n\r\n"
        + format_request("/d")
        + format_request("/e", "POST", body=b"")
        + format_request("/f", "GET", body=format_request("/inner"))
        + format_request("/g")
    )
    client = proxy.connect().send(data, piece=piece)
    assert client.read_response().body == b"/aone"
    assert client.read_response("HEAD").header("Content-Length") == "2"
    assert client.read_response().body == b"/ctwo"
    assert client.read_response().body == b"/d"
    assert client.read_response().body == b"/e"
    assert client.read_response().body == b"/f" + format_request("/inner")
    assert client.read_response().body == b"/g"


def test_a_thousand_of_them(front):
    proxy, server = front()
    before = proxy.memory()
    data = b"".join(format_request(f"/{number}") for number in range(1000))
    client = proxy.connect(deadline=60).send(data)
    assert [client.read_response().body for _ in range(1000)] == [f"/{number}".encode() for number in range(1000)]
    assert len(server.requests) == 1000
    assert memory_is_below(proxy, before + 5_000_000)


def test_a_flood_is_read_only_as_it_is_answered(front):
    """While the first waits, weir holds a bounded buffer of the rest."""
    proxy, server = front()
    before = proxy.memory()
    client = proxy.connect().send(format_request("/slow"))
    server.wait_for_requests(1)
    client.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < 50_000_000:
            sent += client.socket.send(format_request("/x") * 100)
    except TimeoutError:
        pass
    assert sent < 20_000_000
    assert memory_is_below(proxy, before + 5_000_000)
    server.goes_on = True
    assert client.read_response().body == b"/slow"
    assert client.read_response().body == b"/x"


def test_a_bad_one_is_refused_in_its_turn(front):
    """What stood before it is answered; what stands behind it is not served."""
    proxy, server = front()
    client = proxy.connect().send(
        format_request("/one") + b"GET /two HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n" + format_request("/three")
    )
    assert client.read_response().body == b"/one"
    assert client.read_response().status == 400
    assert client.is_closed()
    assert [request.target for request in server.requests] == ["/one"]


def test_nothing_is_served_after_a_close(front):
    proxy, server = front()
    client = proxy.connect().send(format_request("/one", headers={"Connection": "close"}) + format_request("/two"))
    assert client.read_response().body == b"/one"
    assert client.is_closed()
    assert [request.target for request in server.requests] == ["/one"]


def test_nothing_is_served_after_the_last_of_a_connection(front):
    proxy, server = front("MaxKeepAliveRequests 2")
    client = proxy.connect().send(b"".join(format_request(f"/{number}") for number in range(4)))
    assert [client.read_response().body for _ in range(2)] == [b"/0", b"/1"]
    assert client.is_closed()
    assert len(server.requests) == 2


def test_a_client_that_half_closes_behind_its_requests(front):
    proxy, _ = front()
    client = proxy.connect().send(b"".join(format_request(f"/{number}") for number in range(10)))
    client.half_close()
    assert [client.read_response().body for _ in range(10)] == [f"/{number}".encode() for number in range(10)]
    assert client.is_closed()


def test_a_client_that_reads_late(front):
    """Its answers fill every buffer on the way; all arrive when it reads at last."""
    proxy, _ = front(script=lambda connection: echoing(connection))
    body = b"b" * 20_000
    client = proxy.connect(receive_buffer=4096, deadline=30)
    data = b"".join(format_request(f"/{number}", "POST", body=body) for number in range(30))
    client.socket.settimeout(1)
    sent = 0
    try:
        while sent < len(data):
            sent += client.socket.send(data[sent : sent + 10_000])
    except TimeoutError:
        pass
    for number in range(30):
        answer = client.read_response()
        assert answer.body.startswith(f"POST /{number} ".encode()) and answer.body.endswith(body)
        client.socket.settimeout(30)
        if sent < len(data):
            client.socket.sendall(data[sent : sent + 40_000])
            sent += len(data[sent : sent + 40_000])


def test_answers_of_weir_s_own_in_between(weir, origin):
    server = origin(response(b"proxied"))
    proxy = weir(f"Redirect /old http://localhost/new\nProxyPass /app/ {server.url}")
    client = proxy.connect().send(
        format_request("/old") + format_request("/app/1") + format_request("/nowhere") + format_request("/old", "HEAD") + format_request("/app/2")
    )
    answers = [client.read_response(method) for method in ("GET", "GET", "GET", "HEAD", "GET")]
    assert [answer.status for answer in answers] == [302, 200, 404, 302, 200]


def test_a_refused_body_does_not_become_a_request(front):
    """A pipelined request that is answered before its body was read."""
    proxy, server = front("LimitRequestBody 10")
    client = proxy.connect().send(format_request("/big", "POST", body=format_request("/smuggled")) + format_request("/behind"))
    assert client.read_response().status == 413
    assert client.is_closed()
    assert server.requests == []


def test_an_answer_is_not_lost_when_the_next_one_is_cut(front):
    """The origin breaks off within the second answer while the client still reads the first, and sends a third request."""
    body = bytes(100000)

    def script(connection):
        connection.read_request()
        connection.answer(body)
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nincom")

    proxy, _ = front('Workers 1\nCustomLog log "%U"', script)
    client = proxy.connect(receive_buffer=4096).send(format_request("/first") + format_request("/second"))
    proxy.wait_for_log("/second", name="log")
    client.send(format_request("/third"))
    wait_for(lambda: has_read_all(proxy.port, client.socket))
    assert len(client.read_response().body) == len(body)
    rest = client.read_to_end()
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\n0\r\n" not in rest and rest.count(b"HTTP/1.1") == 1
