"""TLS whose records a test sends as it likes: cut anywhere, many at once, its end in the same segment as the data.

    client = RecordConnection(port, context)
    client.send_sealed(client.seal(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n"), piece=1)
    client.read_response()
"""
import os
import ssl
import time

from support.client import Connection
from support.tls import client_context


class RecordSocket:
    """Looks like a socket to a Reader: recv() and sendall() carry plain text; seal() and raw tell the rest."""

    def __init__(self, raw, context, server_side=False, name=None):
        self.raw = raw
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server_side, server_hostname=name)

    def _flush(self):
        waiting = self.outgoing.read()
        if waiting:
            self.raw.sendall(waiting)

    def _more(self):
        data = self.raw.recv(65536)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def do_handshake(self, piece=None):
        """piece: each flight goes out in pieces of so many bytes."""
        while True:
            try:
                self.tls.do_handshake()
                self.send_sealed(self.outgoing.read(), piece)
                return
            except ssl.SSLWantReadError:
                self.send_sealed(self.outgoing.read(), piece)
                self._more()

    def seal(self, data, record=16384):
        """The records of data, each with so many bytes of it."""
        for start in range(0, len(data), record):
            self.tls.write(data[start : start + record])
        return self.outgoing.read()

    def seal_end(self):
        """The record that says that no more will come (close_notify)."""
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            pass
        return self.outgoing.read()

    def send_sealed(self, sealed, piece=None, pause=0.0):
        for start in range(0, len(sealed), piece or max(1, len(sealed))):
            self.raw.sendall(sealed[start : start + (piece or len(sealed))])
            if pause:
                time.sleep(pause)

    def recv(self, size):
        while True:
            try:
                data = self.tls.read(size)
                self._flush()
                return data
            except ssl.SSLWantReadError:
                self._flush()
                self._more()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def sendall(self, data):
        self.raw.sendall(self.seal(data))

    def settimeout(self, seconds):
        self.raw.settimeout(seconds)

    def setsockopt(self, *option):
        self.raw.setsockopt(*option)

    def shutdown(self, how):
        self.raw.shutdown(how)

    def fileno(self):
        return self.raw.fileno()

    def close(self):
        self.raw.close()


class RecordConnection(Connection):
    """A client's connection, its handshake over. piece: the handshake goes out in pieces of so many bytes."""

    def __init__(self, port, context=None, piece=None, **options):
        super().__init__(port, **options)
        self.socket = RecordSocket(self.socket, context or client_context())
        self.socket.do_handshake(piece)

    def seal(self, data, record=16384):
        return self.socket.seal(data, record)

    def send_sealed(self, sealed, piece=None, pause=0.0):
        self.socket.settimeout(self.deadline)
        self.socket.send_sealed(sealed, piece, pause)
        return self


def with_records(context, script):
    """An origin's script that speaks TLS; connection.socket is a RecordSocket."""

    def run(connection):
        connection.socket = RecordSocket(connection.socket, context, server_side=True)
        connection.socket.do_handshake()
        script(connection)

    return run


def cpu_seconds(pid):
    """What all threads of a process have used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
