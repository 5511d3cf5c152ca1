"""DOSFirewall: blocked addresses in a set of nftables, in a network namespace of the test's own."""
import os
import re
import signal
import socket

import pytest
from support import weir as weir_module
from support.client import fetch
from support.firewall import Namespace, why_not
from support.wait import SLOWNESS, free_port, wait_for

REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

NET_ADMIN = 1 << 12
FIREWALL = "DOSFirewall nftables inet filter weir\nDOSPageCount 2\nDOSPageInterval 60\nDOSSiteCount Off"


@pytest.fixture(name="network")
def network_fixture():
    network = Namespace()
    yield network
    network.leave()


@pytest.fixture(name="site")
def site_fixture(network, weir, origin):
    """site(lines) starts weir behind the ruleset."""

    def start(*lines, rules=True, **options):
        server = origin()
        port = free_port()
        if rules:
            network.rules(port)
        return weir("\n".join([f"Listen 127.0.0.1:{port}", f"ProxyPass / {server.url}", *lines]), **options)

    return start


def status_of(pid, field):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(line.split()[1] for line in lines if line.startswith(field + ":"))


def capabilities(proxy, field="CapEff"):
    return int(status_of(proxy.pid, field), 16)


def get(proxy, address, target="/"):
    """The status that a client at the address gets."""
    with socket.create_connection(("127.0.0.1", proxy.port), 10 * SLOWNESS, (address, 0)) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return int(client.recv(4096).split()[1])


def block(proxy, address):
    """Requests until the block; one connection each, so that none is left to renew it."""
    assert [get(proxy, address) for _ in range(3)] == [200, 200, 403]


def dropped(proxy, address):
    """Whether nothing of what the address sends arrives."""
    try:
        socket.create_connection(("127.0.0.1", proxy.port), 0.3, (address, 0)).close()
    except TimeoutError:
        return True
    return False


# --- privileges ---


def test_only_net_admin_is_kept(site):
    proxy = site("User nobody", FIREWALL)
    assert capabilities(proxy) == capabilities(proxy, "CapPrm") == NET_ADMIN
    assert capabilities(proxy, "CapInh") == capabilities(proxy, "CapAmb") == 0
    assert status_of(proxy.pid, "NoNewPrivs") == "1"
    assert "DOSFirewall" not in proxy.log()


def test_nothing_is_kept_without_a_firewall(site):
    proxy = site("User nobody")
    assert capabilities(proxy) == capabilities(proxy, "CapPrm") == capabilities(proxy, "CapAmb") == 0
    assert status_of(proxy.pid, "NoNewPrivs") == "1"


@pytest.mark.parametrize("line", ["DOSEmailNotify admin@example.org", 'DOSSystemCommand "sudo block %s"'])
def test_sendmail_and_sudo_may_gain_privileges(site, line):
    """They are set-user-ID programs: with no_new_privs no mail would ever leave."""
    proxy = site("User nobody", line)
    assert capabilities(proxy) == 0
    assert status_of(proxy.pid, "NoNewPrivs") == "0"


@pytest.mark.skipif(bool(weir_module.WRAPPER), reason="the wrapper is not replaced with the binary")
def test_a_successor_keeps_it_too(site, directory, network):
    os.chmod(directory, 0o777)
    proxy = site("User nobody", FIREWALL, "PidFile weir.pid")
    old = proxy.pid
    proxy.send_signal(signal.SIGUSR2)
    wait_for(lambda: proxy.file("weir.pid").strip() not in ("", str(old)), 20, proxy.log())
    proxy.main_pid = int(proxy.file("weir.pid"))
    assert capabilities(proxy) == capabilities(proxy, "CapPrm") == NET_ADMIN
    assert capabilities(proxy, "CapInh") == capabilities(proxy, "CapAmb") == 0
    block(proxy, "127.0.0.5")
    wait_for(lambda: "127.0.0.5" in network.elements(), 5, proxy.log())
    assert "DOSFirewall" not in proxy.log()


@pytest.mark.skipif(bool(weir_module.WRAPPER), reason="the wrapper is not replaced with the binary")
def test_libraries_leave_no_descriptor_to_a_successor(site, directory):
    os.chmod(directory, 0o777)
    proxy = site("User nobody", FIREWALL, "PidFile weir.pid")

    def netlink_sockets():
        with open(f"/proc/{proxy.pid}/net/netlink", encoding="ascii") as lines:
            inodes = {line.split()[9] for line in list(lines)[1:]}
        links = [os.readlink(f"/proc/{proxy.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{proxy.pid}/fd")]
        return sum(1 for link in links if re.match(r"socket:\[(\d+)\]", link) and link[8:-1] in inodes)

    before = netlink_sockets()
    for _ in range(2):
        old = proxy.pid
        proxy.send_signal(signal.SIGUSR2)
        wait_for(lambda old=old: proxy.file("weir.pid").strip() not in ("", str(old)), 20, proxy.log())
        proxy.main_pid = int(proxy.file("weir.pid"))
    assert before >= 1
    assert netlink_sockets() == before


def test_without_the_capability_weir_serves_and_says_so_once(site, directory):
    os.chmod(directory, 0o777)

    def become_nobody():
        os.setgid(65534)
        os.setuid(65534)

    proxy = site(FIREWALL, preexec=become_nobody)
    proxy.wait_for_log("DOSFirewall nftables inet filter weir: .*CAP_NET_ADMIN")
    for client in range(5, 10):
        block(proxy, f"127.0.0.{client}")
    proxy.reload(expect="configuration reloaded")
    assert proxy.log().count("DOSFirewall nftables") == 1
    assert proxy.get("/").status == 200


# --- elements ---


def test_a_blocked_address_is_dropped_until_its_time_is_over(site, network):
    proxy = site(FIREWALL, "DOSBlockingPeriod 3")
    block(proxy, "127.0.0.5")
    left = wait_for(lambda: network.elements().get("127.0.0.5"), 5, proxy.log())
    assert left <= 3 + 5
    assert dropped(proxy, "127.0.0.5")
    assert get(proxy, "127.0.0.6") == 200
    wait_for(lambda: not network.elements(), 15, "the element to go")
    wait_for(lambda: not dropped(proxy, "127.0.0.5"), 5)
    assert get(proxy, "127.0.0.5", "/other") == 200
    assert "DOSFirewall" not in proxy.log()


def test_a_block_that_is_renewed_stays_in_the_set(site, network):
    """Here the rules drop nothing: requests of the blocked client still come."""
    proxy = site(FIREWALL, "DOSBlockingPeriod 2")
    network.nft("flush chain inet filter input")
    block(proxy, "127.0.0.5")
    wait_for(lambda: "127.0.0.5" in network.elements(), 5, proxy.log())

    refused = []

    def longer_than_the_first_time():
        refused.append(get(proxy, "127.0.0.5"))
        assert refused[-1] == 403
        assert "127.0.0.5" in network.elements()
        return len(refused) >= 30  # each 0.4 s: beyond period and margin

    wait_for(longer_than_the_first_time, 60, every=0.4)
    wait_for(lambda: not network.elements(), 20, "the element to go")


def ask6(port):
    with socket.create_connection(("::1", port), 10 * SLOWNESS) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return int(client.recv(4096).split()[1])


def test_prefixes_of_ipv6(network, weir, origin):
    server, port = origin(), free_port()
    network.rules(port)
    proxy = weir(
        f"Listen [::1]:{port}\nProxyPass / {server.url}\nDOSFirewall nftables inet filter weir6\n"
        "DOSPageCount 2\nDOSPageInterval 60\nDOSSiteCount Off"
    )
    assert [ask6(port) for _ in range(3)] == [200, 200, 403]
    wait_for(lambda: "::/64" in network.elements("weir6"), 5, proxy.log())


def block_both_families(network, weir, origin, firewall):
    """A weir that listens on IPv4 and IPv6, and has blocked ::1 and 127.0.0.5."""
    server, port, port6 = origin(), free_port(), free_port()
    network.rules(port)
    proxy = weir(f"Listen 127.0.0.1:{port}\nListen [::1]:{port6}\nProxyPass / {server.url}\n{firewall}")
    proxy.port = port
    assert [ask6(port6) for _ in range(3)] == [200, 200, 403]
    block(proxy, "127.0.0.5")
    return proxy


def test_two_sets_take_both_families(network, weir, origin):
    proxy = block_both_families(network, weir, origin, FIREWALL.replace("weir", "weir weir6"))
    wait_for(lambda: "::/64" in network.elements("weir6") and "127.0.0.5" in network.elements("weir"), 5, proxy.log())
    assert "DOSFirewall" not in proxy.log()


def test_a_set_that_is_not_there_and_comes_and_goes(site, network):
    proxy = site(FIREWALL, rules=False)
    proxy.wait_for_log("DOSFirewall nftables inet filter weir: No such file or directory .*create table and set first")
    block(proxy, "127.0.0.5")
    block(proxy, "127.0.0.6")
    network.rules(proxy.port)
    proxy.reload(expect="configuration reloaded")
    proxy.wait_for_log("takes addresses again")
    block(proxy, "127.0.0.7")
    wait_for(lambda: "127.0.0.7" in network.elements(), 5, proxy.log())
    network.nft("flush ruleset")
    block(proxy, "127.0.0.8")
    assert [get(proxy, "127.0.0.8") for _ in range(3)] == [403] * 3
    assert proxy.log().count("No such file or directory") <= 2


def test_an_ipv6_block_does_not_trouble_a_set_of_ipv4(network, weir, origin):
    proxy = block_both_families(network, weir, origin, FIREWALL)
    wait_for(lambda: "127.0.0.5" in network.elements(), 5, proxy.log())
    assert "DOSFirewall" not in proxy.log()
    assert fetch(proxy.port, "/").status == 200
