"""The process: start, signals, reload, the pid file, the service manager, privileges, Unix listeners, -d."""
# ctest: waits
# ctest: tsan
import os
import pwd
import re
import signal
import socket
import subprocess
import time

import pytest
from support import weir as weir_module
from support.apache import content
from support.client import format_request
from support.wait import SLOWNESS, free_port, listens, wait_for

IDLE_GRACE = 1.0  # how long a kept-alive connection may bring one more request while draining
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def replace(proxy):
    """USR2, until the new process is the one that serves and the old one has ended."""
    old = proxy.pid
    proxy.send_signal(signal.SIGUSR2)
    wait_for(lambda: (proxy.file("weir.pid").strip() or str(old)) != str(old), 20, f"a new pid\n{proxy.log()}")
    proxy.main_pid = int(proxy.file("weir.pid"))
    return old


def gone(pid):
    """Whether a process has ended; one that is ours is waited for."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    return not os.path.exists(f"/proc/{pid}")


# --- reload ---


def test_a_reload_changes_what_is_served(weir, origin):
    one, two = origin(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"), origin(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"
    )
    proxy = weir(f"ProxyPass / {one.url}")
    assert proxy.get("/").body == b"one"
    proxy.reload(f"ProxyPass / {two.url}", expect="configuration reloaded")
    assert proxy.get("/").body == b"two"


def test_a_connection_outlives_a_reload(weir, origin, connect):
    one = origin()
    proxy = weir(f"ProxyPass / {one.url}")
    client = connect(proxy.port)
    assert client.request("/").body == b"ok"
    proxy.reload('ErrorDocument 404 "elsewhere"\nProxyPass /here http://127.0.0.1:1/', expect="configuration reloaded")
    assert client.request("/gone").status == 404


def test_a_bad_reload_changes_nothing_and_says_why(weir, origin):
    proxy = weir(f"ProxyPass / {origin().url}")
    proxy.reload("ProxyPass / http://127.0.0.1:1/\nTimeOut soon\nNoSuchDirective\n", expect="the old configuration holds on")
    proxy.wait_for_log(r"\[error\].*proxy\.conf:\d+:\d+: error: TimeOut")
    proxy.wait_for_log(r"\[error\].*proxy\.conf:\d+:\d+: error: .*NoSuchDirective")
    assert proxy.get("/").status == 200


def test_a_reload_without_the_file(weir, origin):
    proxy = weir(f"ProxyPass / {origin().url}")
    os.rename(proxy.config_path, proxy.config_path + ".away")
    proxy.reload(expect="the old configuration holds on")
    assert proxy.get("/").status == 200
    os.rename(proxy.config_path + ".away", proxy.config_path)
    proxy.reload(expect="configuration reloaded")


def test_listeners_come_and_go(weir, origin, connect):
    first, second = free_port(), free_port()
    pass_line = f"ProxyPass / {origin().url}"
    proxy = weir(f"Listen 127.0.0.1:{first}\n{pass_line}")
    proxy.reload(f"Listen 127.0.0.1:{first}\nListen 127.0.0.1:{second}\n{pass_line}", expect="configuration reloaded")
    assert connect(second).request("/").status == 200
    assert connect(first).request("/").status == 200
    client = connect(first)
    proxy.reload(f"Listen 127.0.0.1:{second}\n{pass_line}", expect="configuration reloaded")
    wait_for(lambda: not listens(first), 5, "the old listener to close")
    assert connect(second).request("/").status == 200
    assert client.request("/").status == 200, "a connection outlives its listener"


def test_a_port_that_is_taken_fails_the_reload(weir, origin):
    pass_line = f"ProxyPass / {origin().url}"
    port = free_port()
    proxy = weir(f"Listen 127.0.0.1:{port}\n{pass_line}")
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        proxy.reload(f"Listen 127.0.0.1:{port}\nListen 127.0.0.1:{taken}\n", expect="the old configuration holds on")
    assert f"cannot listen on 127.0.0.1:{taken}" in proxy.log()
    assert proxy.get("/").status == 200


def test_what_needs_more_than_a_reload_is_said(weir, origin):
    pass_line = f"ProxyPass / {origin().url}"
    proxy = weir(f"Workers 2\n{pass_line}")
    proxy.reload(f"Workers 3\n{pass_line}", expect="configuration reloaded")
    assert re.search(r"\[warn\].*Workers: still 2; for 3 send USR2", proxy.log())


# --- start ---


def test_a_port_that_is_taken(weir_command):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = weir_command(config=f"Listen 127.0.0.1:{port}\n")
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; another program listens there" in result.stderr


def test_a_second_weir_on_the_same_port(weir, weir_command):
    """SO_REUSEPORT would let it in silently."""
    proxy = weir("")
    result = weir_command(config=f"Listen 127.0.0.1:{proxy.port}\n", directory=os.path.dirname(proxy.log_path))
    assert result.returncode == 1
    assert "another program listens there" in result.stderr
    proxy.write_config("")


def test_a_bad_configuration_is_exit_code_1(weir_command):
    result = weir_command(config="Listen\n")
    assert result.returncode == 1
    assert "proxy.conf:1:" in result.stderr


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "weir -c proxy.conf"),
        (["--chekc"], "unknown option --chekc"),
        (["-c"], "-c needs its FILE"),
        (["proxy.conf"], "did you mean: weir -c proxy.conf"),
        (["-x"], "unknown option -x"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2(weir_command, arguments, text):
    result = weir_command(*arguments)
    assert result.returncode == 2
    assert text in result.stderr
    assert "--help" in result.stderr


def test_commands_that_only_print(weir_command):
    assert weir_command("--version").stdout.splitlines()[0] == "weir 0.1.0"
    for library in ("libev 4", "llhttp ", "PCRE2 10", "SQLite 3"):
        assert library in weir_command("-v").stdout
    assert "Usage: weir -c FILE" in weir_command("--help").stdout
    assert "ProxyPass" in weir_command("-L").stdout
    assert "Syntax OK" in weir_command("-t", config="Listen 8080\n").stderr


# --- the end ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT, signal.SIGINT])
def test_idle_it_ends_at_once(weir, number):
    proxy = weir("")
    begin = time.monotonic()
    proxy.stop(number)
    assert time.monotonic() - begin < 2 * SLOWNESS
    assert not listens(proxy.port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_draining_finishes_a_download(weir, apache, connect, number):
    proxy = weir(f"ProxyPass / {apache.url}")
    client = connect(proxy.port, receive_buffer=8192).send(format_request("/10m.txt"))
    idle = connect(proxy.port)
    assert idle.request("/1.txt").status == 200
    head = client.read_head()
    proxy.send_signal(number)
    proxy.wait_for_log("ending 2 client connections")
    wait_for(lambda: not listens(proxy.port), 5, "listening to end")
    assert idle.is_closed(deadline=IDLE_GRACE + 3)
    assert proxy.running()
    assert client.read_exactly(int(head.header("Content-Length"))) == content(10 * 1024 * 1024)
    assert proxy.wait() == 0


def test_draining_serves_one_more_request(weir, origin, connect):
    """A request that is under way on an idle connection must not be lost."""
    proxy = weir(f"ProxyPass / {origin().url}")
    client = connect(proxy.port)
    assert client.request("/").header("Connection") is None
    proxy.send_signal(signal.SIGTERM)
    wait_for(lambda: not listens(proxy.port), 5, "the workers to drain")
    answer = client.request("/")
    assert answer.status == 200
    assert answer.header("Connection") == "close"
    assert client.is_closed()
    assert proxy.wait() == 0


def test_draining_serves_one_more_request_after_an_answer_under_way(weir, origin, connect):
    """Its head went out before, and did not say that the connection would end."""

    def script(connection):
        while connection.read_request() is not None:
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
            wait_for(lambda: connection.origin.goes_on)
            connection.send("two")

    server = origin(script)
    server.goes_on = False
    proxy = weir(f"ProxyPass / {server.url}")
    client = connect(proxy.port).send(format_request("/"))
    assert client.read_head().header("Connection") is None
    proxy.send_signal(signal.SIGTERM)
    wait_for(lambda: not listens(proxy.port), 5, "the workers to drain")
    server.goes_on = True
    assert client.read_exactly(6) == b"onetwo"
    answer = client.request("/")
    assert (answer.body, answer.header("Connection")) == (b"onetwo", "close")
    assert client.is_closed()
    assert proxy.wait() == 0


def hang(connection):
    connection.read_request()
    connection.wait_closed(deadline=60)


def test_graceful_shutdown_timeout(weir, origin, connect):
    server = origin(hang)
    proxy = weir(f"GracefulShutdownTimeout 1\nProxyPass / {server.url}")
    client = connect(proxy.port).send(format_request("/"))
    wait_for(lambda: server.requests, 5, "the request to arrive")
    begin = time.monotonic()
    proxy.stop()
    assert time.monotonic() - begin >= 0.9
    assert client.read_to_end() == b""
    assert "GracefulShutdownTimeout is over with 1 client connections open" in proxy.log()


@pytest.mark.parametrize("first, second", [("TERM", "TERM"), ("QUIT", "TERM"), ("TERM", "INT")])
def test_a_second_signal_ends_at_once(weir, origin, connect, first, second):
    server = origin(hang)
    proxy = weir(f"ProxyPass / {server.url}")
    connect(proxy.port).send(format_request("/"))
    wait_for(lambda: server.requests, 5, "the request to arrive")
    proxy.send_signal(getattr(signal, f"SIG{first}"))
    proxy.wait_for_log("ending 1 client connections")
    assert proxy.running()
    proxy.stop(getattr(signal, f"SIG{second}"), deadline=3)


def test_int_ends_at_once(weir, origin, connect):
    server = origin(hang)
    proxy = weir(f"ProxyPass / {server.url}")
    client = connect(proxy.port).send(format_request("/"))
    wait_for(lambda: server.requests, 5, "the request to arrive")
    proxy.stop(signal.SIGINT, deadline=3)
    assert client.read_to_end() == b""


def test_it_says_what_it_has_done(weir, origin):
    proxy = weir(f"ProxyPass / {origin().url}")
    proxy.get("/")
    proxy.stop()
    assert re.search(r"\[notice\].*stopped; up .*requests_total 1", proxy.log()), proxy.log()


# --- the pid file ---


def test_the_pid_file(weir):
    proxy = weir("PidFile weir.pid")
    assert proxy.file("weir.pid") == f"{proxy.pid}\n"
    proxy.stop()
    assert not os.path.exists(f"{proxy.directory}/weir.pid")


def test_a_pid_file_of_somebody_else_stays(weir):
    proxy = weir("PidFile weir.pid")
    with open(f"{proxy.directory}/weir.pid", "w", encoding="ascii") as file:
        file.write("1\n")
    proxy.stop()
    assert proxy.file("weir.pid") == "1\n"


# --- USR1 ---


def test_usr1_opens_logs_again(weir, origin):
    proxy = weir(f"ErrorLog error.log\nCustomLog access.log common\nProxyPass / {origin().url}")
    proxy.get("/before")
    proxy.wait_for_log("GET /before", name="access.log")
    for name in ("error.log", "access.log"):
        os.rename(f"{proxy.directory}/{name}", f"{proxy.directory}/{name}.1")
    proxy.send_signal(signal.SIGUSR1)
    wait_for(lambda: os.path.exists(f"{proxy.directory}/access.log"), 5, "a new access.log")
    proxy.get("/after")
    proxy.wait_for_log("GET /after", name="access.log")
    assert "/after" not in proxy.file("access.log.1")
    assert "/before" in proxy.file("access.log.1")


# --- USR2 ---


def test_usr2_several_times_in_a_row(weir, origin):
    proxy = weir(f"PidFile weir.pid\nProxyPass / {origin().url}")
    for turn in range(4):
        assert proxy.get("/").status == 200
        old = replace(proxy)
        wait_for(lambda old=old: gone(old), 10, "the old process to end")
        assert proxy.get("/").status == 200, turn
    proxy.stop()
    assert not os.path.exists(f"{proxy.directory}/weir.pid")
    assert not listens(proxy.port)


@pytest.mark.parametrize("before, after", [(1, 3), (4, 2)])
def test_usr2_with_another_number_of_workers(weir, origin, before, after):
    lines = f"PidFile weir.pid\nProxyPass / {origin().url}\n"
    proxy = weir(f"Workers {before}\n{lines}")
    proxy.write_config(f"Workers {after}\n{lines}")
    old = replace(proxy)
    wait_for(lambda: gone(old), 10, "the old process to end")
    for _ in range(40):  # every queue is served
        assert proxy.get("/", deadline=2).status == 200
    proxy.wait_for_log(f"with {after} worker")


def test_usr2_with_a_bad_file_changes_nothing(weir, origin):
    lines = f"PidFile weir.pid\nProxyPass / {origin().url}\n"
    proxy = weir(lines)
    pid = proxy.pid
    proxy.write_config(lines + "TimeOut soon\n")
    proxy.send_signal(signal.SIGUSR2)
    proxy.wait_for_log("the new process did not start; this one goes on")
    proxy.wait_for_log(r"\[error\].*proxy\.conf:\d+:\d+: error: TimeOut")
    assert proxy.file("weir.pid") == f"{pid}\n"
    assert proxy.get("/").status == 200
    proxy.write_config(lines)
    replace(proxy)
    assert proxy.get("/").status == 200


def test_usr2_drains_the_old_process(weir, apache, connect):
    proxy = weir(f"PidFile weir.pid\nProxyPass / {apache.url}")
    client = connect(proxy.port, receive_buffer=8192).send(format_request("/10m.txt"))
    head = client.read_head()
    old = replace(proxy)
    assert proxy.get("/1k.txt").body == content(1024)
    assert not gone(old)
    assert client.read_exactly(int(head.header("Content-Length"))) == content(10 * 1024 * 1024)
    wait_for(lambda: gone(old), 10, "the old process to end")


# --- the service manager ---


def test_the_service_manager_is_told(weir, origin, directory):
    path = f"{directory}/notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(10 * SLOWNESS)

        def told():
            return notify.recv(4096).decode().split("\n")

        proxy = weir(f"PidFile weir.pid\nProxyPass / {origin().url}", env={"NOTIFY_SOCKET": path})
        ready = told()
        assert ready[0] == "READY=1"
        assert ready[1].startswith("STATUS=serving on 1 listener with 2 workers")
        proxy.send_signal(signal.SIGHUP)
        reloading = told()
        assert reloading[0] == "RELOADING=1"
        assert re.fullmatch(r"MONOTONIC_USEC=\d+", reloading[1])
        assert told()[0] == "READY=1"
        replace(proxy)
        assert told()[0] == "RELOADING=1"
        assert told()[0] == "READY=1"  # the new process
        assert told() == [f"MAINPID={proxy.main_pid}"]
        proxy.stop()
        assert told()[0] == "STOPPING=1"


# --- listeners ---


def test_a_unix_listener(weir, origin, connect, directory):
    path = f"{directory}/weir.sock"
    proxy = weir(f"Listen unix:{path}\nProxyPass / {origin().url}")
    wait_for(lambda: os.path.exists(path), 10, "the socket")
    wait_for(lambda: "is serving" in proxy.log(), 10)
    for _ in range(10):
        assert connect(path=path).request("/").status == 200
    proxy.kill()  # leaves the file behind
    proxy.exit_code = 0
    again = weir(f"Listen unix:{path}\nProxyPass / {origin().url}")
    again.wait_for_log("is serving")
    assert connect(path=path).request("/").status == 200
    again.stop()
    assert not os.path.exists(path)


def test_a_port_alone_serves_both_families(weir, origin, connect):
    port = free_port()
    proxy = weir(f"Listen {port}\nProxyPass / {origin().url}")
    assert connect(proxy.port).request("/").status == 200
    if socket.has_ipv6:
        assert connect(proxy.port, host="::1").request("/").status == 200


# --- -d and privileges ---


@pytest.mark.skipif(bool(weir_module.WRAPPER), reason="the wrapper keeps the command's output open")
def test_detached(directory, connect):
    port = free_port()
    config = f"Listen 127.0.0.1:{port}\nPidFile weir.pid\nErrorLog error.log\n"
    result = weir_module.run("-d", config=config, directory=directory)
    assert result.returncode == 0, result.stderr
    with open(f"{directory}/weir.pid", encoding="ascii") as file:
        pid = int(file.read())
    try:
        assert connect(port).request("/").status == 404  # it serves when the command has ended
        assert os.getsid(pid) == pid
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: gone(pid), 10, "its end")


def test_detached_in_vain(directory):
    with socket.create_server(("127.0.0.1", 0)) as other:
        config = f"Listen 127.0.0.1:{other.getsockname()[1]}\n"
        result = weir_module.run("-d", config=config, directory=directory)
    assert result.returncode == 1
    assert "another program listens there" in result.stderr


@ROOT_ONLY
def test_privileges_are_dropped(weir, origin):
    nobody = pwd.getpwnam("nobody")
    lines = f"User nobody\nPidFile weir.pid\nErrorLog error.log\nCustomLog access.log common\nProxyPass / {origin().url}\n"
    proxy = weir(lines)
    proxy.wait_for_log("is serving", name="error.log")
    status = open(f"/proc/{proxy.pid}/status", encoding="ascii").read()
    assert re.search(rf"^Uid:(\s+{nobody.pw_uid}){{4}}$", status, re.M)
    assert re.search(rf"^Gid:(\s+{nobody.pw_gid}){{4}}$", status, re.M)
    assert re.search(r"^CapEff:\s+0+$", status, re.M)
    assert proxy.get("/one").status == 200
    os.chmod(proxy.config_path, 0o644)
    proxy.send_signal(signal.SIGHUP)
    proxy.wait_for_log("configuration reloaded", name="error.log")
    replace(proxy)  # everything that was opened as root can be opened again
    assert proxy.get("/two").status == 200
    proxy.wait_for_log("GET /two", name="access.log")
    proxy.stop()
    assert proxy.file("weir.pid") == ""


@ROOT_ONLY
def test_a_user_that_is_not_there(weir_command):
    result = weir_command(config=f"Listen 127.0.0.1:{free_port()}\nUser no-such-user\n")
    assert result.returncode == 1
    assert "no-such-user" in result.stderr


def test_curl_sees_no_difference(weir, apache):
    """While the process is replaced, one curl a moment."""
    proxy = weir(f"PidFile weir.pid\nProxyPass / {apache.url}")
    for turn in range(6):
        if turn == 2:
            replace(proxy)
        if turn == 4:
            proxy.reload(expect="configuration reloaded")
        result = subprocess.run(["curl", "-sSf", f"{proxy.url}1k.txt"], capture_output=True, check=True, timeout=60)
        assert result.stdout == content(1024)
