"""A weir and an origin that a whole file of tests shares, and the checks that HTTP tests have in common.

    with Front("LimitRequestLine 100") as front:
        front.refused(b"GET / HTTP/1.1\\r\\n\\r\\n", 400)
"""
import contextlib
import itertools
import os
import re
import tempfile

import pytest
from support.client import Closed, Connection, Response
from support.origin import Origin
from support.wait import wait_for
from support.weir import BINARY, WRAPPER, Weir

# Parts of requests. /TARGET is replaced by Front.cut_off() with a path of its own.
LINE = "GET / HTTP/1.1\r\n"
HOST = "Host: localhost\r\n"
END = "\r\n"
POST = "POST /TARGET HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"

# The fields that weir adds to a request (ProxyAddHeaders On).
ADDED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")

STRICT_HEAD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n")


def table(*rows):
    """Rows of (name, …) as parameters of a test that carry their name."""
    return [pytest.param(*row[1:], id=row[0]) for row in rows]


def memory_is_below(proxy, limit):
    """Whether weir's memory is below so many bytes, given what sanitizers and valgrind need for themselves."""
    with open(BINARY, "rb") as program:
        text = program.read()
    own = WRAPPER or b"__asan_init" in text or b"__tsan_init" in text
    return proxy.memory() < limit * (1 if not own else 20)


def statuses(expected):
    return (expected,) if isinstance(expected, int) else tuple(expected)


def read_answer_and_end(client, method="GET", deadline=None):
    """The one answer that comes before the other side closes; fails when more than that comes, or no close."""
    raw = client.read_to_end(deadline)
    assert b"\r\n\r\n" in raw, f"closed without an answer, after {raw!r}"
    head, body = raw.split(b"\r\n\r\n", 1)
    answer = Response(head + b"\r\n\r\n")
    length = answer.header("Content-Length")
    answer.body = body
    if method != "HEAD" and length is not None:
        assert len(body) == int(length), f"{answer} is followed by something: {body!r}"
    return answer


def send_all(client, data, piece=None):
    """Sends what the other side takes: it may answer and close before the end."""
    try:
        client.send(data, piece=piece)
    except (BrokenPipeError, ConnectionResetError):
        pass


class RecordingOrigin(Origin):
    """Answers every complete request with 200 and keeps what came: complete, the requests with their bodies."""

    def __init__(self, **options):
        self.complete = []
        super().__init__(self.serve, **options)

    def serve(self, connection):
        while (request := connection.read_head()) is not None:
            connection.read_body(request)
            self.complete.append(request)
            connection.answer(b"origin")

    def bytes_received(self):
        return sum(len(connection.received) for connection in self.connections)


class Front:
    """weir in front of a RecordingOrigin. The configuration may use {origin}."""

    numbers = itertools.count(1)

    def __init__(self, config="", site="ProxyPass / {origin}", **options):
        self.config = config
        self.site = site
        self.options = options

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="weir-test-")
        os.chmod(self.temporary.name, 0o755)
        self.origin = RecordingOrigin()
        text = f"{self.config}\n{self.site}".replace("{origin}", self.origin.url)
        self.weir = Weir(text, self.temporary.name, **self.options)
        return self

    def __exit__(self, *_):
        try:
            self.weir.stop()
            self.weir.check()
        finally:
            self.origin.stop()
            self.temporary.cleanup()

    def connect(self, **options):
        return Connection(self.weir.port, **options)

    def fence(self):
        """A good request on a new connection is served; returns the bytes that the origin was sent for it."""
        target = f"/fence-{next(self.numbers)}"
        with self.connect() as client:
            answer = client.request(target)
        assert (answer.status, answer.body) == (200, b"origin")
        request = next(request for request in self.origin.complete if request.target == target)
        return len(request.raw_head) + len(request.body)

    def refused(self, data, expected, piece=None, half_close=False, deadline=None):
        """The bytes are answered with a refusal, the connection is closed, and nothing of them reaches the origin."""
        data = data.encode("latin-1") if isinstance(data, str) else data
        before = self.origin.bytes_received()
        with self.connect() as client:
            send_all(client, data, piece)
            if half_close:
                with contextlib.suppress(OSError):  # refused and gone already
                    client.half_close()
            answer = read_answer_and_end(client, "HEAD" if data.startswith(b"HEAD ") else "GET", deadline)
        assert answer.status in statuses(expected), f"{answer}: {data[:200]!r}"
        assert answer.version == "HTTP/1.1"
        assert "close" in (answer.header("Connection") or "").lower(), answer.headers
        assert answer.header("Date"), answer.headers
        assert self.fence() == self.origin.bytes_received() - before, f"the origin was sent something of {data[:200]!r}"
        return answer

    def taken(self, data, expected=200, method="GET"):
        """The bytes are one request that is served; returns it as the origin got it."""
        before = len(self.origin.complete)
        with self.connect() as client:
            client.send(data)
            answer = client.read_response(method)
        assert answer.status in statuses(expected), f"{answer}: {data[:200]!r}"
        assert len(self.origin.complete) == before + 1, self.origin.complete[before:]
        request = self.origin.complete[-1]
        assert STRICT_HEAD.fullmatch(request.raw_head), f"the origin was sent {request.raw_head!r}"
        return request

    def cut_off(self, head, body, expected=400, wait_for_head=False):
        """A request whose body is malformed: the origin never sees it complete, and both connections are closed.

        wait_for_head: the bad bytes are sent when the origin has the head, else all at once.
        """
        target = f"/cut-{next(self.numbers)}"
        head = head.replace("/TARGET", target)
        body = body.encode("latin-1") if isinstance(body, str) else body
        with self.connect() as client:
            if wait_for_head:
                client.send(head)
                wait_for(lambda: self._connection_with(target), what="the head at the origin")
                send_all(client, body)
            else:
                send_all(client, head.encode("latin-1") + body)
            raw = client.read_to_end()
        if raw:
            answer = Response(raw.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n")
            assert answer.status in statuses(expected), f"{answer}: {body[:200]!r}"
            assert raw.count(b"HTTP/1.1 ") == 1, raw
        connection = self._connection_with(target)
        if connection is not None:
            wait_for(lambda: connection.over, what="weir to close the origin's connection")
        self.fence()
        assert not [request for request in self.origin.complete if request.target == target], "the origin saw it complete"

    def _connection_with(self, target):
        for connection in self.origin.connections:
            if any(request.target == target for request in connection.requests):
                return connection
        return None


def incomplete(client, method="GET"):
    """Reads an answer that must turn out to be cut short: 502, or a head and less of a body than was promised."""
    try:
        answer = client.read_response(method)
    except Closed:
        return None
    return answer


def request_fields(request, without=ADDED):
    """The fields that the origin got, but for those that weir adds."""
    names = {name.lower() for name in without}
    return [(name, value) for name, value in request.headers if name.lower() not in names]


def through(make_weir, make_origin, data, config="ProxyPass / {origin}", answer=None, method="GET"):
    """Sends the bytes of one request; returns what the origin got and what the client got."""
    server = make_origin(*([] if answer is None else [answer]))
    proxy = make_weir(config.replace("{origin}", server.url))
    got = proxy.connect().send(data).read_response(method)
    assert len(server.requests) == 1, server.requests
    assert STRICT_HEAD.fullmatch(server.requests[0].raw_head), server.requests[0].raw_head
    return server.requests[0], got


def open_descriptors(proxy):
    """What weir has open, by kind: {'socket': 12, 'pipe': 2, …}."""
    kinds = {}
    for name in os.listdir(f"/proc/{proxy.pid}/fd"):
        try:
            kind = os.readlink(f"/proc/{proxy.pid}/fd/{name}").split(":")[0]
        except FileNotFoundError:
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds
