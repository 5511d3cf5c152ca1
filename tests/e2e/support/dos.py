"""Clients of many addresses, and configurations in which a minute is one window: nothing depends on how fast a test is."""
import re

from support.client import Connection, format_request

# Windows and blocks that no test outlasts, so that only counts matter.
SLOW = "DOSPageInterval 600\nDOSSiteInterval 600\nDOSRequestInterval 600\nDOSBlockingPeriod 600\n"
# The client says who it is, as a proxy in front of weir would: for addresses that loopback does not have.
SPOKEN = "RemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.0/8\n"


def ask(proxy, target="/", source="127.0.0.5", client=None, **options):
    """The answer to one request on a connection of its own, from that loopback address or, with SPOKEN, that client."""
    headers = list(options.pop("headers", ()))
    if client is not None:
        headers.append(("X-Client", client))
    with Connection(proxy.port, source=source) as connection:
        return connection.request(target, headers=headers, **options)


def statuses(proxy, targets, **options):
    """targets: several, or one as text with how often: ("/", 3)."""
    if isinstance(targets, tuple):
        targets = [targets[0]] * targets[1]
    return [ask(proxy, target, **options).status for target in targets]


def blacklistings(proxy):
    """The addresses in the lines about blocks, in order."""
    return re.findall(r"(?m): Blacklisting address (\S+): possible DoS attack\.$", proxy.log())


def bad_request(proxy, source="127.0.0.5", data=b"G@T / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
    """The answer to something that is no request."""
    with Connection(proxy.port, source=source) as connection:
        return connection.send(data).read_response()


def good_request(target="/", host="localhost"):
    return format_request(target, host=host)
