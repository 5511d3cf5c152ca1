"""Origins that do what a test tells them, byte for byte, and record what they were sent."""
import os
import socket
import threading

from support.client import Closed, Late, Message, Reader
from support.wait import free_port, wait_for


class Request(Message):
    """A request as the origin got it."""

    def __init__(self, raw_head):
        super().__init__(raw_head)
        self.method, self.target, self.version = (self.line.split(" ") + ["", ""])[:3]

    def __repr__(self):
        return f"<{self.line}, {len(self.body)} bytes>"


class OriginConnection(Reader):
    """A connection that weir made to the origin, in the hands of a script. received: every byte that came."""

    def __init__(self, sock, origin, index):
        super().__init__(sock, deadline=30.0)
        self.origin = origin
        self.index = index  # 0: the first connection that the origin was given
        self.received = b""
        self.requests = []
        self.over = False  # the script has ended

    def note(self, data):
        self.received += data

    def read_head(self, deadline=None):
        """The next request's head alone; None when weir has closed between requests."""
        try:
            request = Request(self.read_until(b"\r\n\r\n", deadline))
        except Closed:
            if self.buffer:
                raise
            return None
        self.requests.append(request)
        self.origin.requests.append(request)
        return request

    def read_body(self, request, deadline=None):
        if request.header("Transfer-Encoding"):
            request.body, request.trailers = self.read_chunked(deadline)
        elif request.header("Content-Length"):
            request.body = self.read_exactly(int(request.header("Content-Length")), deadline)
        return request.body

    def read_request(self, deadline=None):
        """The next request with its body; None when weir has closed between requests."""
        request = self.read_head(deadline)
        if request is not None:
            self.read_body(request, deadline)
        return request

    def send(self, data):
        data = data.encode("latin-1") if isinstance(data, str) else data
        self.socket.settimeout(self.deadline)
        self.socket.sendall(data)

    def answer(self, body=b"ok", status="200 OK", headers=()):
        """A well-formed response with a Content-Length."""
        self.send(response(body, status, headers))

    def wait_closed(self, deadline=None):
        """Reads, and records, until weir closes."""
        self.read_to_end(deadline)


def response(body=b"ok", status="200 OK", headers=()):
    """The bytes of a well-formed response. headers: a dict, pairs or lines."""
    body = body.encode("latin-1") if isinstance(body, str) else body
    pairs = headers.items() if isinstance(headers, dict) else headers
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [line if isinstance(line, str) else f"{line[0]}: {line[1]}" for line in pairs]
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + body


def answering(*answers, close=False):
    """A script: each request on a connection is answered with the next of answers (bytes), the last one for ever.

    close: the connection is closed after each answer, whatever it says.
    """
    answers = [answer.encode("latin-1") if isinstance(answer, str) else answer for answer in answers]

    def script(connection):
        served = 0
        while connection.read_request() is not None:
            connection.send(answers[min(served, len(answers) - 1)])
            served += 1
            if close:
                return

    return script


def echoing(connection):
    """A script: answers each request with its own head and body."""
    while (request := connection.read_request()) is not None:
        connection.answer(request.raw_head + request.body, headers={"Content-Type": "text/plain"})


class Origin:
    """Listens on loopback (or a unix socket) and runs script(connection) in a thread for each connection.

    script: a function of an OriginConnection, or bytes that answer every request. When it returns, the connection is
    closed. scripts: one for each connection in turn, the last for all that follow.
    """

    def __init__(self, *scripts, path=None, host="127.0.0.1", port=None, backlog=128):
        self.scripts = [script if callable(script) else answering(script) for script in scripts or (response(),)]
        self.path = path
        self.host = host
        self.port = None if path else port or free_port()
        self.backlog = backlog
        self.connections = []
        self.requests = []
        self.errors = []  # what went wrong in scripts: a test may look, or call check()
        self.lock = threading.Lock()
        self.stopped = False
        self.listener = None
        self.start()

    @property
    def url(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}|http://localhost/" if self.path else f"http://{host}:{self.port}/"

    @property
    def received(self):
        """All bytes of all connections, in the order of connections."""
        return b"".join(connection.received for connection in self.connections)

    def start(self):
        """Begins to listen; also after stop(), on the same port."""
        if self.path:
            if os.path.exists(self.path):
                os.unlink(self.path)
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            os.chmod(self.path, 0o777)
        else:
            self.listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((self.host, self.port))
        self.listener.listen(self.backlog)
        self.stopped = False
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if self.stopped:
                sock.close()
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                index = len(self.connections)
                connection = OriginConnection(sock, self, index)
                self.connections.append(connection)
            script = self.scripts[min(index, len(self.scripts) - 1)]
            threading.Thread(target=self._run, args=(script, connection), daemon=True).start()

    def _run(self, script, connection):
        try:
            script(connection)
        except (Closed, Late, OSError, AssertionError, ValueError) as error:
            self.errors.append(error)
        finally:
            connection.over = True
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def check(self):
        """Fails with the first thing that went wrong in a script."""
        for error in self.errors:
            raise error

    def wait_for_requests(self, count, deadline=10.0):
        wait_for(lambda: len(self.requests) >= count, deadline, f"{count} requests at the origin, {self.requests}")
        return self.requests

    def wait_for_connections(self, count, deadline=10.0):
        wait_for(lambda: len(self.connections) >= count, deadline, f"{count} connections at the origin")
        return self.connections

    def stop(self, connections=True):
        """Stops listening and (connections) closes those that are open. May be called twice."""
        self.stopped = True
        if self.listener is not None:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
            self.listener = None
        if connections:
            for connection in list(self.connections):
                try:
                    connection.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
