"""Very many hosts: the configuration loads in time that grows with its length, and a reload too; each host is found."""
# ctest: exclusive
import time

from support.wait import SLOWNESS

HOSTS = 40_000


def text(url_of):
    """Each has an origin of its own, every second a user."""
    parts = ["RemoteIPHeader X-Client\nRemoteIPTrustedProxy 127.0.0.1\n<CBandClass robots>\nCBandClassDst 66.249.64/24\n</CBandClass>\n"]
    for number in range(HOSTS):
        lines = f"ServerName customer{number}.example.net\nServerAlias www.customer{number}.example.net\n"
        lines += "CBandSpeed 10Mbps 50 200\nCBandRemoteSpeed 200kb/s 5 10\nCBandLimit 300Gi\nCBandPeriod 4W\n"
        if number % 2:
            parts.append(f"<CBandUser user{number}>\nCBandUserLimit 1G\n</CBandUser>\n")
            lines += f"CBandUser user{number}\nCBandClassRemoteSpeed robots 100kbps 5 10\n"
        parts.append(f"<VirtualHost *:*>\n{lines}ProxyPass / {url_of(number)}\n</VirtualHost>\n")
    return "".join(parts)


def test_forty_thousand_hosts(weir, origin):
    server = origin()
    others = {number: f"http://127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:9/" for number in range(HOSTS)}
    served = (0, 1, 2, 9_999, HOSTS - 1)

    def url_of(number):
        return server.url if number in served else others[number]

    config = text(url_of)
    assert len(config) > 10_000_000
    began = time.monotonic()
    proxy = weir(config, wait=False)
    proxy.wait_until_listening()
    assert time.monotonic() - began < 15 * SLOWNESS
    for number in served:
        for name in (f"customer{number}.example.net", f"www.customer{number}.example.net"):
            assert proxy.get("/", host=name).status == 200
        assert server.requests[-1].header("Host") == f"www.customer{number}.example.net"
    began = time.monotonic()
    proxy.reload(config, expect="configuration reloaded")
    assert time.monotonic() - began < 15 * SLOWNESS
    assert proxy.get("/", host=f"customer{HOSTS - 1}.example.net").status == 200
