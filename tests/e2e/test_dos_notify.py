"""What happens outside the workers when a client is blocked: mail, command, dos- file; once a block, and bounded."""
import os
import re
import signal
import socket
import time

import pytest
from support import weir as weir_module
from support.wait import SLOWNESS, wait_for

RULES = "DOSPageCount 2\nDOSPageInterval 60\nDOSSiteCount Off\nDOSBlockingPeriod 60"


@pytest.fixture(name="site")
def site_fixture(weir, origin, directory):
    """site(lines) starts weir with a host of the name shop.example; {dir} in a line is the test's directory."""
    server = origin()

    def start(*lines, **options):
        text = "\n".join(["ServerName shop.example", f"ProxyPass / {server.url}", RULES, *lines])
        return weir(text.replace("{dir}", directory), **options)

    return start


def get(proxy, address, target="/", fields=""):
    """The status that a client at the address gets."""
    with socket.create_connection(("127.0.0.1", proxy.port), 10 * SLOWNESS, (address, 0)) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n".encode("latin-1"))
        return int(client.recv(4096).split()[1])


def block(proxy, address="127.0.0.5", **options):
    assert [get(proxy, address, **options) for _ in range(3)] == [200, 200, 403]


def script(directory, name, text):
    path = f"{directory}/{name}"
    with open(path, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)
    return path


# --- mail ---


def test_one_mail_a_block(site, directory):
    sendmail = script(directory, "sendmail", f'echo "arguments: $*" >>{directory}/mail; exec cat >>{directory}/mail')
    proxy = site("DOSEmailNotify admin@example.org", f'DOSMailCommand "{sendmail} -t"')
    block(proxy)
    assert [get(proxy, "127.0.0.5") for _ in range(5)] == [403] * 5
    wait_for(lambda: "Blocked:" in proxy.file("mail"), 10, proxy.log())
    mail = proxy.file("mail")
    assert mail.startswith(
        "arguments: -t\nTo: admin@example.org\nSubject: HTTP BLACKLIST 127.0.0.5\n\nmod_evasive HTTP Blacklisted 127.0.0.5\n"
    )
    assert "\nHost: shop.example\n" in mail
    assert re.search(r"\nReason: .*page", mail)
    block(proxy, "127.0.0.6")
    wait_for(lambda: "Blacklisted 127.0.0.6" in proxy.file("mail"), 10, proxy.log())
    assert proxy.file("mail").count("Subject:") == 2


def test_a_mailer_that_fails_is_logged(site):
    proxy = site("DOSEmailNotify admin@example.org", "DOSMailCommand /nonexistent/sendmail")
    block(proxy)
    proxy.wait_for_log(r"DOSMailCommand for 127\.0\.0\.5: ended with status 127 \(the shell found no such program\)")
    assert get(proxy, "127.0.0.6") == 200


# --- command ---


def test_one_command_a_block(site):
    proxy = site('DOSSystemCommand "echo 100%% of %s $WEIR_BLOCKED >>{dir}/commands"')
    block(proxy)
    assert [get(proxy, "127.0.0.5") for _ in range(5)] == [403] * 5
    block(proxy, "127.0.0.6")
    wait_for(lambda: proxy.file("commands").count("\n") == 2, 10, proxy.log())
    assert sorted(proxy.file("commands").splitlines()) == ["100% of 127.0.0.5 127.0.0.5", "100% of 127.0.0.6 127.0.0.6"]


def test_a_slow_command_delays_nothing(site):
    """5 s each; blocks, signals and requests go on as if there were none."""
    proxy = site('DOSSystemCommand "echo %s >>{dir}/begun; sleep 5; echo %s >>{dir}/ended"')
    begin = time.monotonic()
    for client in range(5, 10):
        block(proxy, f"127.0.0.{client}")
    wait_for(lambda: proxy.file("begun").count("\n") == 5, 4, proxy.log())
    proxy.reload(expect="configuration reloaded")
    took = time.monotonic() - begin
    assert proxy.file("ended") == "" and took < 5 * SLOWNESS
    wait_for(lambda: proxy.file("ended").count("\n") == 5, 15, proxy.log())


def test_at_most_ten_at_a_time(site):
    proxy = site(
        'DOSSystemCommand "cd {dir}; echo >run-%s; ls | grep -c ^run- >>most; sleep 0.3; rm run-%s; echo %s >>done"'
    )
    for client in range(10, 40):
        block(proxy, f"127.0.0.{client}")
    wait_for(lambda: proxy.file("done").count("\n") == 30, 30, proxy.log())
    assert max(int(line) for line in proxy.file("most").split()) <= 10


HOSTILE = [
    "; touch HACKED #",
    "$(touch HACKED)",
    "`touch HACKED`",
    "127.0.0.9; touch HACKED",
    "../../HACKED",
    "127.0.0.9/../../HACKED",
    "%s%n%d",
    "127.0.0.9\tBcc: x@example.org",
    "::1%;touch HACKED",
    "WHITELIST_127.0.0.5",
    "\xff\xfe'\"\\",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_header_values_reach_neither_command_nor_file_name(site, directory, value):
    """Behind RemoteIPHeader, from a proxy that passes on what clients write."""
    os.mkdir(f"{directory}/dos")
    value = value.replace("HACKED", f"{directory}/hacked")
    proxy = site(
        "RemoteIPHeader X-Forwarded-For",
        "RemoteIPInternalProxy 127.0.0.0/8",
        "DOSLogDir {dir}/dos",
        "DOSEmailNotify admin@example.org",
        'DOSMailCommand "cat >>{dir}/mail"',
        'DOSSystemCommand "echo %s >>{dir}/commands"',
    )
    fields = "".join(f"{name}: {value}\r\n" for name in ("X-Forwarded-For", "User-Agent", "Referer", "X-Real-IP", "Forwarded"))
    for _ in range(6):
        get(proxy, "127.0.0.5", fields=fields)
    if any(character in value for character in "\t\xff"):
        get(proxy, "127.0.0.5")
    wait_for(lambda: "\n" in proxy.file("commands") and "Blocked:" in proxy.file("mail"), 10, proxy.log())
    assert re.fullmatch(r"([0-9a-f.:]+\n)+", proxy.file("commands"))
    assert all(re.fullmatch(r"dos-[0-9a-f.:]+", name) for name in os.listdir(f"{directory}/dos"))
    assert not re.search(r"(?m)^(Bcc|Cc)", proxy.file("mail"))
    assert "hacked" not in os.listdir(directory)
    assert not os.path.exists(os.path.join(directory, "dos", "hacked"))


# --- files ---


def test_a_file_for_each_blocked_client(site, directory):
    os.mkdir(f"{directory}/dos")
    proxy = site("DOSLogDir dos", "DOSBlockingPeriod 2")
    block(proxy)
    wait_for(lambda: proxy.file("dos/dos-127.0.0.5") == f"{proxy.pid}\n", 5, proxy.log())
    wait_for(lambda: not os.listdir(f"{directory}/dos"), 15, "the file to go")


def test_files_go_with_the_process(site, directory):
    os.mkdir(f"{directory}/dos")
    proxy = site("DOSLogDir dos")
    block(proxy)
    wait_for(lambda: os.listdir(f"{directory}/dos"), 5, proxy.log())
    proxy.stop()
    assert not os.listdir(f"{directory}/dos")


def test_files_left_by_a_process_that_was_killed_go_at_the_next_start(site, directory):
    os.mkdir(f"{directory}/dos")
    proxy = site("DOSLogDir dos")
    block(proxy)
    left = f"{directory}/dos/dos-127.0.0.5"
    wait_for(lambda: os.path.exists(left) and os.path.getsize(left) > 0, 5, proxy.log())
    proxy.send_signal(signal.SIGKILL)
    proxy.exit_code = proxy.process.wait()
    with open(f"{directory}/dos/dos-192.0.2.1", "w", encoding="ascii") as file:
        file.write("this is not weir's\n")
    second = site("DOSLogDir dos")
    second.wait_for_log("DOSLogDir: 1 dos- files of processes that have ended are removed")
    assert os.listdir(f"{directory}/dos") == ["dos-192.0.2.1"]
    wait_for(lambda: second.get("/").status == 200, 10)


def test_no_link_is_followed(site, directory):
    os.mkdir(f"{directory}/dos")
    with open(f"{directory}/victim", "w", encoding="ascii") as file:
        file.write("precious\n")
    os.symlink(f"{directory}/victim", f"{directory}/dos/dos-127.0.0.5")
    proxy = site("DOSLogDir dos")
    block(proxy)
    proxy.wait_for_log(r"DOSLogDir .*: dos-127\.0\.0\.5 is there and was not made by weir")
    assert proxy.file("victim") == "precious\n"
    assert os.path.islink(f"{directory}/dos/dos-127.0.0.5")


@pytest.mark.skipif(bool(weir_module.WRAPPER), reason="the wrapper is not replaced with the binary")
def test_commands_and_a_successor_do_not_disturb_each_other(site):
    """Both are children of the process that is replaced."""
    proxy = site('DOSSystemCommand "echo %s >>{dir}/begun; sleep 1; echo %s >>{dir}/commands"', "PidFile weir.pid")
    old = proxy.pid
    for client in range(5, 9):
        block(proxy, f"127.0.0.{client}")
    wait_for(lambda: proxy.file("begun").count("\n") == 4, 10, proxy.log())
    proxy.send_signal(signal.SIGUSR2)
    wait_for(lambda: proxy.file("weir.pid").strip() not in ("", str(old)), 20, proxy.log())
    proxy.main_pid = int(proxy.file("weir.pid"))
    wait_for(lambda: proxy.file("commands").count("\n") == 4, 15, proxy.log())
    assert get(proxy, "127.0.0.10") == 200
