"""Quotas: a host that is limited, in front of an origin whose answers have a known size."""
import time

import pytest

BODY = 1000  # an answer of the origin is a little over this with its head, and surely under twice as much
LOG = 'CustomLog access.log "%U %>s %{weir-decision}x %{weir-reason}x %{weir-user}x"'


def host(name, *lines, url):
    text = "\n".join(lines)
    return f"<VirtualHost *>\nServerName {name}\n{text}\nProxyPass / {url}\n</VirtualHost>\n"


def size_of(answer):
    """The bytes of an answer with a Content-Length, as they came."""
    return len(answer.raw_head) + len(answer.body)


def fill(proxy, count=3, **options):
    """So many requests that must be served."""
    for _ in range(count):
        assert proxy.get(**options).status == 200


def assert_refused(answer, status=503, reason=None, within=86400):
    assert answer.status == status, answer
    assert reason is None or answer.reason == reason
    assert 1 <= int(answer.header("Retry-After")) <= within, answer.headers


def assert_redirected(answer, location, within=86400):
    assert answer.status == 302, answer
    assert answer.header("Location") == location
    assert answer.header("Cache-Control") == "no-store"
    assert 1 <= int(answer.header("Retry-After")) <= within, answer.headers


def writer():
    """A script of an origin: the target's number is the size of the body."""

    def script(connection):
        while (request := connection.read_request()) is not None:
            connection.answer(b"x" * int(request.target.strip("/").split("?")[0] or BODY))

    return script


@pytest.fixture(name="server")
def server_fixture(origin):
    return origin(writer())


@pytest.fixture(name="limited")
def limited_fixture(weir, server):
    """limited(*lines of the host, server_lines=…): a weir with one worker, so that counts are exact between requests."""

    def start(*lines, before="", **options):
        return weir(f"{before}\n{LOG}\n{host('localhost', *lines, url=server.url)}", workers=1, **options)

    return start


def timed(proxy, target, **options):
    begin = time.monotonic()
    answer = proxy.get(target, **options)
    assert answer.status == 200
    assert len(answer.body) == int(target.strip("/"))
    return time.monotonic() - begin
