"""A client that sends exactly the bytes it is told to, and reads with a deadline."""
import contextlib
import socket
import struct
import time
import weakref

from support.wait import SLOWNESS

open_connections = weakref.WeakSet()  # conftest closes what a test left open


class Closed(AssertionError):
    """The other side closed before what was expected had come."""


class Late(AssertionError):
    """What was expected had not come when the deadline passed."""


class Message:
    """A request or an answer. line: its first; headers: (name, value) pairs as they came; body: without chunked coding;
    raw_head: the exact bytes."""

    def __init__(self, raw_head):
        self.raw_head = raw_head
        self.line, *lines = raw_head.decode("latin-1").split("\r\n")
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines if line]
        self.body = b""
        self.trailers = []

    def all(self, name):
        """The values of every field of that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        """The one value of that name, or None; more than one is a failure."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


class Response(Message):
    """One answer."""

    def __init__(self, raw_head):
        super().__init__(raw_head)
        self.version, status, self.reason = (self.line.split(" ", 2) + [""])[:3]
        self.status = int(status)

    def __repr__(self):
        return f"<{self.version} {self.status} {self.reason}, {len(self.body)} bytes>"


class Reader:
    """Reads parts of a stream of bytes; each call has its own deadline. Base of clients and of origins' connections."""

    def __init__(self, sock, deadline):
        self.socket = sock
        self.deadline = deadline * SLOWNESS
        self.buffer = b""
        self.ended = False

    def receive(self, until):
        """Waits for more bytes; False when the other side has closed."""
        left = until - time.monotonic()
        if left <= 0:
            raise Late(f"deadline passed; so far came {self.buffer[-300:]!r}")
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(262144)
        except TimeoutError:
            raise Late(f"deadline passed; so far came {self.buffer[-300:]!r}") from None
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        self.note(data)
        self.buffer += data
        return True

    def note(self, data):
        """For those who record what comes."""

    def _until(self, deadline):
        return time.monotonic() + (self.deadline if deadline is None else deadline * SLOWNESS)

    def read_until(self, mark, deadline=None):
        """The bytes up to and with mark."""
        until = self._until(deadline)
        start = 0
        while True:
            at = self.buffer.find(mark, start)
            if at >= 0:
                return self._take(at + len(mark))
            start = max(0, len(self.buffer) - len(mark) + 1)
            if not self.receive(until):
                raise Closed(f"closed before {mark!r}; so far came {self.buffer[-300:]!r}")

    def read_exactly(self, count, deadline=None):
        until = self._until(deadline)
        parts = [self.buffer]
        have = len(self.buffer)
        while have < count:
            self.buffer = b""
            if not self.receive(until):
                raise Closed(f"closed after {have} of {count} bytes")
            parts.append(self.buffer)
            have += len(self.buffer)
        self.buffer = b"".join(parts)
        return self._take(count)

    def read_some(self, deadline=None):
        """At least one byte, or b"" when the other side has closed."""
        if not self.buffer:
            self.receive(self._until(deadline))
        return self._take(len(self.buffer))

    def count_for(self, seconds, at_most):
        """How many bytes come within so many seconds, by the clock whatever the machine; ends early with at_most of them."""
        until = time.monotonic() + seconds
        count = len(self._take(len(self.buffer)))
        with contextlib.suppress(Late):
            while count < at_most and self.receive(until):
                count += len(self._take(len(self.buffer)))
        return count

    def read_to_end(self, deadline=None):
        """All there is until the other side closes."""
        until = self._until(deadline)
        parts = [self.buffer]
        self.buffer = b""
        while self.receive(until):
            parts.append(self.buffer)
            self.buffer = b""
        return b"".join(parts)

    def read_chunked(self, deadline=None):
        """A chunked body, strictly: (bytes, trailer fields)."""
        body = []
        while True:
            line = self.read_until(b"\r\n", deadline)
            size = int(line.split(b";")[0].strip(), 16)
            if size == 0:
                break
            body.append(self.read_exactly(size, deadline))
            assert self.read_exactly(2, deadline) == b"\r\n", "no CRLF after a chunk"
        trailers = []
        while (line := self.read_until(b"\r\n", deadline)) != b"\r\n":
            name, value = line.decode("latin-1").split(":", 1)
            trailers.append((name.strip(), value.strip()))
        return b"".join(body), trailers

    def _take(self, count):
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes so that the other side sees a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        """Says that nothing more will be sent, and still reads."""
        self.socket.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Connection(Reader):
    """A client's connection to weir (or to anything): Connection(port), Connection(path="/unix/socket")."""

    def __init__(self, port=None, host="127.0.0.1", path=None, deadline=10.0, source=None, receive_buffer=None):
        if path is not None:
            sock = socket.socket(socket.AF_UNIX)
        else:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source is not None:
            sock.bind((source, 0))
        sock.settimeout(deadline * SLOWNESS)
        sock.connect(path if path is not None else (host, port))
        super().__init__(sock, deadline)
        open_connections.add(self)

    def send(self, data, piece=None, pause=0.0):
        """Sends all of data (bytes or text); in pieces of that many bytes with pauses when asked to."""
        data = data.encode("latin-1") if isinstance(data, str) else data
        self.socket.settimeout(self.deadline)
        if piece is None:
            self.socket.sendall(data)
        else:
            for start in range(0, len(data), piece):
                self.socket.sendall(data[start : start + piece])
                time.sleep(pause)
        return self

    def read_head(self, deadline=None):
        """The next response's head alone."""
        return Response(self.read_until(b"\r\n\r\n", deadline))

    def read_response(self, method="GET", deadline=None, interim=False):
        """The next final response with its body (method: what was asked, as HEAD has no body).

        interim: 1xx answers count too.
        """
        response = self.read_head(deadline)
        while 100 <= response.status < 200 and response.status != 101 and not interim:
            response = self.read_head(deadline)
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return response
        if response.header("Transfer-Encoding"):
            response.body, response.trailers = self.read_chunked(deadline)
        elif response.header("Content-Length") is not None:
            response.body = self.read_exactly(int(response.header("Content-Length")), deadline)
        else:
            response.body = self.read_to_end(deadline)
        return response

    def request(self, target="/", method="GET", host="localhost", headers=(), body=None, version="HTTP/1.1", deadline=None):
        """Sends one well-formed request and reads its response. headers: a dict, or pairs, or lines of text."""
        self.send(format_request(target, method, host, headers, body, version))
        return self.read_response(method, deadline)

    def is_closed(self, deadline=5.0):
        """Whether the other side closes, without another byte, before the deadline."""
        try:
            return self.read_to_end(deadline) == b""
        except Late:
            return False


def format_request(target="/", method="GET", host="localhost", headers=(), body=None, version="HTTP/1.1"):
    """The bytes of a request; Content-Length is added to a body."""
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    pairs = headers.items() if isinstance(headers, dict) else headers
    lines += [line if isinstance(line, str) else f"{line[0]}: {line[1]}" for line in pairs]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + (body or b"")


def fetch(port, target="/", method="GET", host="localhost", headers=(), body=None, deadline=10.0):
    """One request on a connection of its own."""
    with Connection(port, deadline=deadline) as connection:
        return connection.request(target, method, host, headers, body)
