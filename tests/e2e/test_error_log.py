"""ErrorLog: its lines, its level, its targets, and that no peer can write into it."""
# ctest: tsan
import os
import re
import signal

from support.origin import response
from support.wait import free_port, wait_for

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[(emerg|alert|crit|error|warn|notice|info|debug)\] .+")


def bad_answer(connection):
    """A script: an answer that is none, with what would forge a line or move a terminal's cursor."""
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\nX: a\x1b[31m\nforged line [error]\x00\r\n\r\n")


def test_every_line_has_time_and_level(weir, origin):
    proxy = weir(f"LogLevel debug\nErrorLog error.log\nProxyPass / {origin(bad_answer).url}")
    assert proxy.get("/", headers={"User-Agent": "x"}).status == 502
    proxy.stop()
    lines = proxy.file("error.log").splitlines()
    assert len(lines) >= 2
    for line in lines:
        assert LINE.fullmatch(line), line


def test_a_line_says_what_weir_was_doing(weir, origin):
    proxy = weir(f"ServerName shop.example.net\nErrorLog error.log\nProxyPass / {origin(bad_answer).url}")
    assert proxy.get("/page").status == 502
    proxy.wait_for_log(
        r"\[(error|warn|notice)\] worker \d+: while [a-z ']+, client 127\.0\.0\.1, host shop\.example\.net,"
        r" request \"GET /page HTTP/1\.1\", origin http://\S+: \S",
        name="error.log",
    )


def test_a_line_of_a_time_out_says_for_whom_too(weir, origin, connect):
    def silent(connection):
        connection.read_request()
        connection.wait_closed()

    proxy = weir(f"LogLevel info\nErrorLog error.log\nProxyTimeout 1\nRequestReadTimeout header=1\nProxyPass / {origin(silent).url}")
    assert proxy.get("/page").status == 504
    proxy.wait_for_log(r"while [a-z ']+, client 127\.0\.0\.1, request \"GET /page HTTP/1\.1\", origin http://\S+: the origin did not answer",
                       name="error.log")  # fmt: skip
    assert connect(proxy.port).send("GET / HTTP/1.1\r\n").read_response().status == 408
    proxy.wait_for_log(r"while reading the request's head, client 127\.0\.0\.1: .* longer than RequestReadTimeout; answering 408", name="error.log")
    assert connect(proxy.port).send("GET / HTTP/1.1\r\n\r\n").read_response().status == 400
    proxy.wait_for_log(r"client 127\.0\.0\.1, request \"GET / HTTP/1\.1\": there is no Host field; answering 400", name="error.log")


def test_peers_cannot_write_into_it(weir, origin, connect):
    proxy = weir(f"LogLevel debug\nErrorLog error.log\nProxyPass / {origin(bad_answer).url}")
    for data in (
        b"GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x07\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\xc2\x9b\r\n\r\n",
        b"\x00\x01\x02\r\n2026-11-21 10:11:12.345 [emerg] forged\r\n\r\n",
        b"GET /%0a%0dforged HTTP/1.1\r\nHost: a\r\n\r\n",
    ):
        connect(proxy.port).send(data).read_some()
    proxy.stop()
    with open(os.path.join(proxy.directory, "error.log"), "rb") as file:
        raw = file.read()
    raw.decode("utf-8")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", raw), raw
    for line in raw.decode().splitlines():
        assert LINE.fullmatch(line), line
        assert "[emerg]" not in line


def test_level(weir, origin):
    server = origin()
    proxy = weir(f"LogLevel error\nErrorLog error.log\nProxyPass / {server.url}")
    assert proxy.get("/").status == 200
    proxy.stop()
    assert "[notice]" not in proxy.file("error.log")
    assert "[notice]" not in proxy.log()


def test_standard_error_is_the_default(weir, origin):
    proxy = weir(f"ProxyPass / {origin().url}")
    proxy.stop()
    assert all(LINE.fullmatch(line) for line in proxy.log().splitlines()), proxy.log()
    assert "[notice]" in proxy.log()


def test_the_last_line_sums_up(weir, origin):
    proxy = weir(f"ErrorLog error.log\nProxyPass / {origin(response(b'x')).url}")
    for _ in range(3):
        proxy.get("/")
    proxy.stop()
    summary = [line for line in proxy.file("error.log").splitlines() if " up " in line]
    assert summary, proxy.file("error.log")
    assert re.search(r"up \d+ s: .*\brequests_total 3\b.*\bresponses_2xx_total 3\b", summary[-1])


def test_it_is_opened_again(weir, origin):
    proxy = weir(f"ErrorLog error.log\nProxyPass / {origin(bad_answer).url}")
    path = os.path.join(proxy.directory, "error.log")
    os.rename(path, f"{path}.1")
    proxy.send_signal(signal.SIGUSR1)
    wait_for(lambda: os.path.exists(path), 10, "a new error log")
    assert proxy.get("/after").status == 502
    proxy.wait_for_log("/after", name="error.log")
    assert "/after" not in proxy.file("error.log.1")


def test_a_log_that_cannot_be_opened_again_is_kept(weir, origin, directory):
    os.mkdir(os.path.join(directory, "logs"))
    proxy = weir(f'ErrorLog logs/error.log\nCustomLog logs/access.log "%U"\nProxyPass / {origin().url}')
    os.rename(os.path.join(directory, "logs"), os.path.join(directory, "moved"))
    proxy.send_signal(signal.SIGUSR1)
    proxy.wait_for_log(r"\[error\] .*access\.log: cannot be opened again: No such file", name="moved/error.log")
    proxy.get("/kept")
    proxy.wait_for_log("/kept", name="moved/access.log")


def test_a_reload_moves_it(weir, origin):
    server = origin(bad_answer)
    proxy = weir(f"ErrorLog one.log\nProxyPass / {server.url}")
    proxy.write_config(f"ErrorLog two.log\nProxyPass / {server.url}")
    proxy.send_signal(signal.SIGHUP)
    wait_for(lambda: os.path.exists(os.path.join(proxy.directory, "two.log")), 10, "the new error log")

    def told():
        proxy.get("/moved")
        return "/moved" in proxy.file("two.log")

    wait_for(told, 10, "a line in the new error log", every=0.1)


def test_one_that_cannot_be_opened_stops_the_start(weir_command, directory):
    os.mkdir(os.path.join(directory, "error.log"))
    result = weir_command(config=f"Listen 127.0.0.1:{free_port()}\nErrorLog error.log")
    assert result.returncode == 1
    assert re.search(r"ErrorLog \S*/error\.log: cannot be opened: Is a directory", result.stderr), result.stderr


def test_a_flood_of_one_message_is_cut_short_and_counted(weir, origin, connect):
    """Each malformed request is worth a line; a thousand of them are not worth a thousand."""
    proxy = weir(f"LogLevel info\nErrorLog error.log\nProxyPass / {origin().url}")
    for _ in range(500):
        assert connect(proxy.port).send(b"(\r\n\r\n").read_response().status == 400
    told = r"… and (\d+) more like it: .*answering 400"

    def said():
        lines = proxy.file("error.log").splitlines()
        told_of = sum(int(found.group(1)) for line in lines if (found := re.search(told, line)))
        return told_of + sum("answering 400" in line and "more like it" not in line for line in lines)

    wait_for(lambda: said() == 500, 5, "every line to be written or counted")
    assert "] log writer: … and " in proxy.file("error.log")
    assert proxy.file("error.log").count("answering 400") < 400
    assert proxy.get("/").status == 200
