"""What the kernel knows of this machine's TCP sockets. Nobody is connected to, and nothing is disturbed."""
from collections import namedtuple

LISTENING, ESTABLISHED = "0A", "01"

# state: as the kernel writes it. unsent: bytes that the other side has not acknowledged; unread: that nobody has read yet.
TcpSocket = namedtuple("TcpSocket", "remote_port state unsent unread")


def sockets_of(port, remote_port=None):
    """The sockets whose own port is that one; with remote_port the connections to that port alone."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                for line in lines:
                    fields = line.split()
                    own, remote = (int(fields[i].rsplit(":", 1)[1], 16) for i in (1, 2))
                    if own == port and remote_port in (None, remote):
                        unsent, unread = (int(part, 16) for part in fields[4].split(":"))
                        found.append(TcpSocket(remote, fields[3], unsent, unread))
        except FileNotFoundError:
            pass
    return found


def has_read_all(port, client):
    """Whether whoever listens on the port has read every byte that this client's connection has sent."""
    own = client.getsockname()[1]
    return not any(socket.unsent for socket in sockets_of(own, port)) and not any(socket.unread for socket in sockets_of(port, own))
