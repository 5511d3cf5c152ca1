"""weir against a small reference of the rules: thousands of mutated requests are understood alike, or refused alike.

The reference knows what spec says of a request's framing and says for a stream of bytes which requests it holds. What the
origin got must be those and no others: anything else would be a way to smuggle a request past weir.
"""
import contextlib
import random
import re

import pytest
from support.http import STRICT_HEAD, Front, send_all

SEEDS = [
    b"GET /a HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 31\r\n\r\nGET /c HTTP/1.1\r\nHost: h:80\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1f\r\nGET /c HTTP/1.1\r\nHost: h:80\r\n\r\n\r\n"
    b"0\r\nX-T: u\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-A: chunked\r\n\r\n0\r\n\r\nPUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
]  # fmt: skip
PIECES = [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b",", b";", b"\x00", b"\x0b", b"\x80", b"0", b"1", b"+", b"-", b"x", b"a", b'"', b"\r\n ",
          b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding", b"Host: h\r\n", b"chunked", b"gzip, ", b"HTTP/1.0"]  # fmt: skip

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
LINE = re.compile(rb"(%s) (/[!$%%&'()*+,\-./0-9:;=?@A-Z\[\]_`a-z~]*) HTTP/1\.([0-9])" % TOKEN)
FIELD = re.compile(rb"(%s):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*" % TOKEN)
HOST = re.compile(rb"[0-9A-Za-z_-][0-9A-Za-z._-]*(:[0-9]{0,4})?")
VALUE = rb"(?:%s|\"(?:[^\"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*\")" % TOKEN
SIZE = re.compile(rb"([0-9a-fA-F]{1,15})((?:[ \t]*;[ \t]*%s(?:[ \t]*=[ \t]*%s)?)*)" % (TOKEN, VALUE))


class Stop(Exception):
    """Nothing behind this point is served: refused, or not complete."""


class Unsure(Exception):
    """The reference does not judge this one."""


class Reference:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def line(self):
        end = self.data.find(b"\n", self.at)
        if end < 0 or self.data[end - 1 : end] != b"\r" or end - 1 < self.at:
            raise Stop
        line, self.at = self.data[self.at : end - 1], end + 1
        return line

    def fields(self):
        fields = []
        while line := self.line():
            match = FIELD.fullmatch(line)
            if not match:
                raise Stop
            fields.append((match.group(1).lower(), match.group(2)))
        return fields

    def take(self, count):
        if len(self.data) - self.at < count:
            raise Stop
        self.at += count
        return self.data[self.at - count : self.at]

    def chunked(self):
        body = b""
        while True:
            match = SIZE.fullmatch(self.line())
            if not match:
                raise Stop
            size = int(match.group(1), 16)
            if size == 0:
                trailers = [name for name, _ in self.fields()]
                if {b"content-length", b"transfer-encoding"} & set(trailers):
                    raise Unsure
                return body
            body += self.take(size)
            if self.take(2) != b"\r\n":
                raise Stop

    def body(self, fields, minor):
        lengths = [value for name, value in fields if name == b"content-length"]
        codings = [value for name, value in fields if name == b"transfer-encoding"]
        if codings:
            elements = [element.strip(b" \t").lower() for value in codings for element in value.split(b",")]
            if lengths or minor == b"0" or [element for element in elements if element] != [b"chunked"]:
                raise Stop
            return self.chunked()
        if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,9}", lengths[0])):
            raise Stop
        return self.take(int(lengths[0])) if lengths else b""

    def request(self):
        """(target, body, whether the connection goes on)"""
        if self.data[self.at : self.at + 1] in (b"\r", b"\n"):
            raise Unsure
        match = LINE.fullmatch(self.line())
        if not match or match.group(1) in (b"CONNECT", b"TRACE", b"PRI"):
            raise Stop
        fields = self.fields()
        hosts = [value for name, value in fields if name == b"host"]
        if len(hosts) > 1 or (not hosts and match.group(3) != b"0") or any(not HOST.fullmatch(host) for host in hosts):
            raise Stop
        names = {name for name, _ in fields}
        if names & {b"connection", b"expect", b"upgrade"} or b"%" in match.group(2) or b".." in b"".join(hosts):
            raise Unsure
        return match.group(2), self.body(fields, match.group(3)), match.group(3) != b"0"

    def requests(self):
        """(all requests that are served, whether the reference is sure that no more are)"""
        served = []
        try:
            while self.at < len(self.data):
                target, body, goes_on = self.request()
                served.append((target.decode(), body))
                if not goes_on:
                    break
        except Stop:
            pass
        except Unsure:
            return served, False
        return served, True


def mutate(data, moods):
    for _ in range(moods.choice([1, 1, 1, 2, 3])):
        at = moods.randrange(1, len(data))
        length = moods.choice([0, 0, 1, 1, 2, moods.randrange(12)])
        data = data[:at] + moods.choice([b"", moods.choice(PIECES), moods.choice(PIECES)]) + data[at + length :]
    return data


@pytest.fixture(name="front", scope="module")
def front_fixture():
    with Front("LogLevel crit\nMaxKeepAliveRequests 0") as front:
        yield front


@pytest.mark.parametrize("batch", range(8))
def test_mutated_requests(front, batch):
    moods = random.Random(batch)
    sure_count = 0
    for _ in range(500):
        data = mutate(moods.choice(SEEDS), moods)
        served, sure = Reference(data).requests()
        before = len(front.origin.complete)
        with front.connect() as client:
            send_all(client, data, moods.choice([None, None, 20]))
            with contextlib.suppress(OSError):  # refused and gone already
                client.half_close()
            raw = client.read_to_end()
        got = [(request.target, request.body) for request in front.origin.complete[before:]]
        assert got[: len(served)] == served, (data, raw)
        assert not sure or got == served, (data, raw)
        assert raw.count(b"HTTP/1.1 200 OK\r\n") == len(got), (data, raw)
        sure_count += sure
    assert sure_count > 300
    for request in front.origin.requests:
        assert STRICT_HEAD.fullmatch(request.raw_head), request.raw_head
        assert len(request.all("Content-Length")) + len(request.all("Transfer-Encoding")) <= 1, request.raw_head
        assert len(request.all("Host")) == 1
