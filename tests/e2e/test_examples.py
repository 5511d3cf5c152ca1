"""examples/: the fail2ban filter finds weir's lines and nothing else; the nftables ruleset loads and holds what DOSFirewall puts in."""
import os
import re
import shutil
import subprocess

import pytest
from support.origin import response
from support.weir import ROOT

EXAMPLES = f"{ROOT}/examples"
FILTER = f"{EXAMPLES}/fail2ban/filter.d/weir.conf"
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
FAIL2BAN = shutil.which("fail2ban-regex", path=PATH)
NFT = shutil.which("nft", path=PATH)

BLOCKED = "Blacklisting address {}: possible DoS attack."
RATE = "warning: Connection rate limit exceeded: 107 from unknown[{}] for service http"
CONCURRENCY = "warning: Connection concurrency limit exceeded: 51 from unknown[{}] for service https"

ERROR_LOG = "2026-11-21 10:11:12.345 [{}] "
SYSLOG = "Nov 21 10:11:12 www weir[123]: "
CONTEXT = 'worker 1: while asking the shaper, client {}, host www.example.com, request "GET /a HTTP/1.1": '

FOUND = [
    (ERROR_LOG.format("alert") + BLOCKED, "192.0.2.7"),
    (ERROR_LOG.format("alert") + "worker 0: " + BLOCKED, "192.0.2.7"),
    (ERROR_LOG.format("alert") + CONTEXT + BLOCKED, "192.0.2.7"),
    (ERROR_LOG.format("alert") + CONTEXT + BLOCKED, "2001:db8::7"),
    (ERROR_LOG.format("alert") + "housekeeping: " + BLOCKED, "2001:db8:1:2::/64"),
    (SYSLOG + BLOCKED, "192.0.2.7"),
    (SYSLOG + "[alert] worker 3: " + BLOCKED, "192.0.2.8"),
    (ERROR_LOG.format("warn") + "worker 1: " + RATE, "192.0.2.7"),
    (ERROR_LOG.format("warn") + "worker 1: " + CONCURRENCY, "192.0.2.9"),
    (SYSLOG + RATE, "192.0.2.7"),
    (SYSLOG + CONCURRENCY, "2001:db8::9"),
]

# What a client might send to have somebody else banned, and lines that are about something else.
NOT_FOUND = [
    ERROR_LOG.format("error") + 'worker 1: while x, client 192.0.2.1, host h, request "GET /Blacklisting address 192.0.2.7: possible DoS attack. HTTP/1.1"'
    ": the origin did not answer in time",
    ERROR_LOG.format("error") + 'worker 1: while x, client 192.0.2.1, host h, request "GET /": Blacklisting address 192.0.2.7: possible DoS attack."'
    ", origin http://127.0.0.1:1/: the origin did not answer in time",
    ERROR_LOG.format("info") + "worker 1: " + BLOCKED.format("192.0.2.7") + " x",
    ERROR_LOG.format("warn") + "worker 1: " + RATE.format("www.example.com"),
    SYSLOG.replace("weir", "other") + BLOCKED.format("192.0.2.7"),
    ERROR_LOG.format("notice") + "housekeeping: configuration reloaded",
]


def fail2ban(directory, lines, mode="all"):
    """The addresses that the filter finds in a log of these lines, by fail2ban itself."""
    log = os.path.join(directory, "log")
    with open(log, "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
    result = subprocess.run(
        [FAIL2BAN, "--usedns", "no", "--out", "<ip>", log, f"{FILTER}[mode={mode}]"], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode in (0, 1) and "ERROR" not in result.stderr, result.stderr
    return result.stdout.split()


def translated(_directory, lines, mode="all"):
    """The same with Python's re, where fail2ban is not installed: the patterns, with what stands in <> and %() put in."""
    with open(FILTER, encoding="utf-8") as file:
        text = file.read()
    values = dict(re.findall(r"(?m)^(_\w+) = (.*)$", text))
    wanted = {"all": ("_blocked", "_connections"), "blocked": ("_blocked",), "connections": ("_connections",)}[mode]
    found = []
    for line in lines:
        rest = re.sub(r"^(\d{4}-\d\d-\d\d [\d:.]+|\w{3} +\d+ [\d:]+)", "", line)
        for name in wanted:
            pattern = values[name]
            while "%(" in pattern:
                pattern = re.sub(r"%\((\w+)\)s", lambda match: values[match.group(1)], pattern)
            match = re.search(pattern.replace("<SUBNET>", r"([0-9a-f.:]+(?:/\d+)?)"), rest)
            found += [match.group(1)] if match else []
    return found


FINDERS = [
    pytest.param(fail2ban, id="fail2ban", marks=pytest.mark.skipif(FAIL2BAN is None, reason="fail2ban is not installed")),
    pytest.param(translated, id="python"),
]


@pytest.mark.parametrize("find", FINDERS)
def test_the_filter_finds_what_it_should(directory, find):
    lines = [line.replace("{}", address) for line, address in FOUND]
    assert sorted(find(directory, lines)) == sorted(address for _, address in FOUND)


@pytest.mark.parametrize("find", FINDERS)
def test_the_filter_finds_nothing_else(directory, find):
    assert find(directory, NOT_FOUND) == []


@pytest.mark.parametrize("find", FINDERS)
@pytest.mark.parametrize("mode, count", [("blocked", 7), ("connections", 4)])
def test_the_modes_of_the_filter(directory, find, mode, count):
    lines = [line.replace("{}", address) for line, address in FOUND]
    assert len(find(directory, lines, mode)) == count


@pytest.mark.parametrize("find", FINDERS)
def test_the_filter_knows_the_beginning_of_real_lines(weir, origin, directory, find):
    """The error log of a running weir, with its messages replaced by ours and not."""

    def script(connection):
        connection.read_request()
        connection.send(response().replace(b"HTTP/1.1 200", b"HTTP/0.7 xx"))

    proxy = weir(f"LogLevel info\nErrorLog error.log\nProxyPass / {origin(script).url}")
    assert proxy.get("/Blacklisting-address-192.0.2.7:-possible-DoS-attack.").status == 502
    proxy.stop()
    lines = proxy.file("error.log").splitlines()
    assert any('request "GET ' in line for line in lines) and any("housekeeping: " in line for line in lines)
    assert find(directory, lines) == []
    begins = [re.match(r'.*?\] (?:[a-z ]+\d*: )?(?:while .*", origin \S+: )?', line).group(0) for line in lines]
    assert find(directory, [begin + BLOCKED.format("192.0.2.7") for begin in begins]) == ["192.0.2.7"] * len(lines)


@pytest.mark.skipif(FAIL2BAN is None, reason="fail2ban is not installed")
def test_the_jails_are_read(directory):
    """By fail2ban's own reader, beside Debian's configuration."""
    shutil.copytree("/etc/fail2ban", f"{directory}/etc")
    shutil.copy(FILTER, f"{directory}/etc/filter.d/")
    shutil.copy(f"{EXAMPLES}/fail2ban/jail.d/weir.conf", f"{directory}/etc/jail.d/")
    client = shutil.which("fail2ban-client", path=PATH)
    result = subprocess.run([client, "-c", f"{directory}/etc", "--dp"], capture_output=True, text=True, check=False, timeout=60)
    for jail in ("weir-blocked", "weir-connections"):
        assert f"['add', '{jail}'," in result.stdout, result.stdout + result.stderr
        assert re.search(rf"'{jail}', 'addfailregex'|'multi-set', '{jail}', 'addfailregex'|'{jail}', 'addfailregex", result.stdout), result.stdout


def can_unshare():
    return subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(NFT is None or not shutil.which("unshare") or not can_unshare(), reason="nft and a network namespace are needed")
def test_the_ruleset_takes_what_dosfirewall_puts_in():
    """In a network namespace: loaded twice, an IPv4 address and an IPv6 prefix with time-outs, and it drops."""
    script = f"""
        set -e
        ip link set lo up 2>/dev/null || true
        {NFT} -f {EXAMPLES}/nftables.conf
        {NFT} add element inet weir weir_blocked4 '{{ 192.0.2.7 timeout 60s }}'
        {NFT} add element inet weir weir_blocked6 '{{ 2001:db8:1:2::/64 timeout 60s }}'
        {NFT} list ruleset
        {NFT} delete element inet weir weir_blocked6 '{{ 2001:db8:1:2::/64 }}'
        {NFT} list set inet weir weir_blocked6
    """
    result = subprocess.run(["unshare", "-rn", "sh", "-c", script], capture_output=True, text=True, check=False, timeout=30)
    if result.returncode and "Operation not permitted" in result.stderr + result.stdout:
        pytest.skip("this kernel has no nftables for namespaces")
    assert result.returncode == 0, result.stderr
    assert "192.0.2.7 timeout" in result.stdout and "2001:db8:1:2::/64 timeout" in result.stdout
    assert "drop" in result.stdout
    assert "2001:db8" not in result.stdout.rpartition("table inet weir")[2]
