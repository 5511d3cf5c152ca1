"""CustomLog: formats, JSON whatever clients send, rotation without a lost line, and logs that nobody reads."""
# ctest: tsan
import datetime
import json
import os
import re
import signal
import threading
import time

import pytest
from support.client import format_request
from support.origin import response
from support.wait import SLOWNESS, free_port, wait_for

FIELDS = (
    "time client host method path query protocol status bytes_out bytes_in duration_us upstream decision reason delay_ms "
    "user class referer user_agent"
).split()


def lines_of(proxy, name, count=1):
    """The lines of a log, once there are so many of them."""
    wait_for(lambda: proxy.file(name).count("\n") >= count, 10, f"{count} lines in {name}: {proxy.file(name)[-500:]!r}")
    return proxy.file(name).splitlines()


def one_line(weir, origin, log_format, **request):
    """The line of one request in a format."""
    server = origin(response(b"12345", headers={"Content-Type": "text/plain", "X-Two": "b"}))
    proxy = weir(f'ServerName shop.example.net\nProxyPass / {server.url}\nCustomLog access.log "{log_format}"')
    assert proxy.get(**{"target": "/a%20b?x=1", "host": "www.example.net:8080", **request}).status == 200
    return lines_of(proxy, "access.log")[0], proxy, server


def test_common_log_format_like_apache(weir, origin):
    line, _, _ = one_line(weir, origin, r"%h %l %u %t \"%r\" %>s %b")
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a%20b\?x=1 HTTP/1\.1" 200 5', line
    )


def test_the_real_apache_writes_the_same_line(weir, apache):
    proxy = weir(f"ProxyPass / {apache.url}\nCustomLog access.log combined\nCustomLog second.log common")
    agent = {"User-Agent": 'probe "1"\\', "Referer": "http://example.net/\u00e9"}
    assert proxy.get("/1k.txt?q", headers=agent).status == 200
    combined = lines_of(proxy, "access.log")[0]
    assert combined.endswith(r'"GET /1k.txt?q HTTP/1.1" 200 1024 "http://example.net/\xe9" "probe \"1\"\\"')
    assert combined.startswith(lines_of(proxy, "second.log")[0])


def test_codes(weir, origin):
    codes = {
        "%m %U%q %H %s": "GET /a b?x=1 HTTP/1.1 200",
        "%v %V %p %{canonical}p": "shop.example.net www.example.net 8080 8080",
        "%a %{c}a %A": "127.0.0.1 127.0.0.1 127.0.0.1",
        "%B %X %k %R": "5 + 0 proxy-server",
        "%{X-Test}i %{Missing}i %{Content-Type}o %{two}C": "t - text/plain 2",
        "%!200{X-Test}i %200,304{X-Test}i": "- t",
        "%{weir-decision}x %{weir-class}x %{weir-user}x": "pass - -",
    }
    line, proxy, server = one_line(
        weir, origin, "|".join(codes) + "|%{local}p|%{weir-upstream}x|%P|%D|%I|%O", headers={"X-Test": "t", "Cookie": "one=1; two=2"}
    )
    parts = line.split("|")
    assert parts[: len(codes)] == list(codes.values())
    local, upstream, process, duration, bytes_in, bytes_out = parts[len(codes) :]
    assert (int(local), int(process)) == (proxy.port, proxy.pid)
    assert str(server.port) in upstream
    assert 0 < int(duration) < 30e6 * SLOWNESS
    request = format_request("/a%20b?x=1", host="www.example.net:8080", headers={"X-Test": "t", "Cookie": "one=1; two=2"})
    assert int(bytes_in) == len(request)
    assert int(bytes_out) > 50


def test_bytes_out_is_what_the_client_got(weir, origin, connect):
    server = origin(response(b"x" * 100000))
    proxy = weir(f'ProxyPass / {server.url}\nCustomLog access.log "%O %B"')
    client = connect(proxy.port)
    client.send(format_request("/"))
    answer = client.read_response()
    assert lines_of(proxy, "access.log")[0] == f"{len(answer.raw_head) + len(answer.body)} 100000"


def test_refusals_are_logged_with_what_was_received(weir, origin, connect):
    proxy = weir(f'ProxyPass / {origin().url}\nCustomLog access.log "%r|%s|%{{weir-decision}}x|%U|%{{Host}}i"')
    client = connect(proxy.port).send(b"G\x01T /\x1b[31m \"x\" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.read_response().status == 400
    line = lines_of(proxy, "access.log")[0]
    assert "|400|refused|" in line
    assert re.fullmatch(r"[\x20-\x7e]*", line)


def test_a_host_with_a_log_of_its_own_does_not_write_the_servers(weir, origin):
    server = origin()
    proxy = weir(
        f"""ServerName main
        CustomLog main.log "%v %r"
        ProxyPass / {server.url}
        <VirtualHost *>
        ServerName one
        CustomLog one.log "%v %r"
        </VirtualHost>
        <VirtualHost *>
        ServerName two
        </VirtualHost>"""
    )
    for host in ("one", "two", "one"):
        assert proxy.get(f"/{host}", host=host).status == 200
    assert lines_of(proxy, "one.log", 2) == ["one GET /one HTTP/1.1"] * 2
    assert lines_of(proxy, "main.log") == ["two GET /two HTTP/1.1"]


# --- JSON ---


def json_lines(proxy, count, name="access.log"):
    lines = []
    for line in lines_of(proxy, name, count):
        lines.append(json.loads(line))
        assert list(lines[-1]) == FIELDS
    return lines


def test_json_fields(weir, origin):
    server = origin(response(b"12345"))
    proxy = weir(f"ServerName shop.example.net\nProxyPass / {server.url}\nCustomLog access.log json")
    before = datetime.datetime.now(datetime.timezone.utc)
    proxy.get("/a%20b?x=1&y", headers={"Referer": "http://example.net/", "User-Agent": "probe"})
    proxy.get("/", method="HEAD")
    first, second = json_lines(proxy, 2)
    when = datetime.datetime.strptime(first.pop("time"), "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs((when - before).total_seconds()) < 10 * SLOWNESS
    assert first.pop("duration_us") > 0
    assert first.pop("bytes_out") > 50
    assert first.pop("bytes_in") > 50
    assert str(server.port) in first.pop("upstream")
    assert isinstance(first.pop("reason"), str)
    assert first == {
        "client": "127.0.0.1",
        "host": "shop.example.net",
        "method": "GET",
        "path": "/a%20b",
        "query": "x=1&y",
        "protocol": "HTTP/1.1",
        "status": 200,
        "decision": "pass",
        "delay_ms": 0,
        "user": None,
        "class": None,
        "referer": "http://example.net/",
        "user_agent": "probe",
    }
    assert (second["method"], second["query"], second["referer"], second["user_agent"]) == ("HEAD", None, None, None)


@pytest.mark.parametrize(
    "value",
    [
        b'"},{"x":"',
        b"\\",
        b"back\\slash\\u0041",
        b"tab\there",
        bytes(range(0x80, 0x100)),
        "é € 😀".encode(),
        b"\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80",
        b"\xc2\x9b31m",
        b"x" * 8000,
        b'"' * 8000,
        b"\xff" * 8000,
    ],
)
def test_json_is_valid_whatever_a_field_holds(weir, origin, connect, value):
    proxy = weir(f"ProxyPass / {origin().url}\nCustomLog access.log json")
    client = connect(proxy.port)
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nReferer: " + value + b"\r\nUser-Agent: " + value + b"\r\n\r\n")
    assert client.read_response().status in (200, 400)
    (line,) = json_lines(proxy, 1)
    try:
        meant = value.decode()
    except UnicodeDecodeError:
        meant = None
    if line["status"] == 200 and meant is not None and len(value) < 1000 and "\x9b" not in meant:
        assert line["referer"] == line["user_agent"] == meant
    raw = open(os.path.join(proxy.directory, "access.log"), "rb").read()
    assert raw.count(b"\n") == 1
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw)


def test_json_of_bad_requests(weir, origin, connect):
    proxy = weir(f"ProxyPass / {origin().url}\nCustomLog access.log json")
    for data in (b"\x16\x03\x01\x02\x00\x01\x00", b'GET /" HTTP/1.1\r\nHost: "\r\n\r\n', b"\xff\xfe\r\n\r\n"):
        connect(proxy.port).send(data).read_to_end()
    for line in json_lines(proxy, 3):
        assert line["decision"] == "refused"
        assert line["status"] == 400


# --- files ---


class Load:
    """Clients that ask for numbered pages until told to stop; served: the numbers that were answered."""

    def __init__(self, proxy, clients=4):
        self.proxy = proxy
        self.over = threading.Event()
        self.served = [[] for _ in range(clients)]
        self.longest = 0.0
        self.errors = []
        self.threads = [threading.Thread(target=self.run, args=(index,)) for index in range(clients)]

    def run(self, index):
        try:
            with self.proxy.connect() as client:
                number = 0
                while not self.over.is_set():
                    number += 1
                    page = f"/{index}-{number}"
                    begin = time.monotonic()
                    assert client.request(page).status == 200
                    self.longest = max(self.longest, time.monotonic() - begin)
                    self.served[index].append(page)
        except (AssertionError, OSError) as problem:
            self.errors.append(problem)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def pages(self):
        return sorted(page for pages in self.served for page in pages)

    def count(self):
        return sum(map(len, self.served))


def test_rotation_under_load_loses_no_line(weir, origin):
    proxy = weir(f'KeepAlive On\nMaxKeepAliveRequests 0\nProxyPass / {origin().url}\nCustomLog access.log "%U"')
    rotated = []
    path = os.path.join(proxy.directory, "access.log")
    with Load(proxy) as load:
        for number in range(10):
            target = load.count() + 50
            wait_for(lambda target=target: load.count() >= target or load.errors, 20, "requests to be served")
            rotated.append(f"access.log.{number}")
            os.rename(path, os.path.join(proxy.directory, rotated[-1]))
            proxy.send_signal(signal.SIGUSR1)
            wait_for(lambda: os.path.exists(path), 10, "a new file after USR1")
    assert not load.errors, load.errors
    proxy.stop()
    lines = [line for name in [*rotated, "access.log"] for line in proxy.file(name).splitlines()]
    assert sorted(lines) == load.pages()
    assert sum(1 for name in rotated if proxy.file(name)) >= 8


def test_a_fifo_that_nobody_reads_delays_no_request(weir, origin, directory):
    os.mkfifo(os.path.join(directory, "fifo"))
    long = "x" * 6000
    proxy = weir(
        f'MaxKeepAliveRequests 0\nProxyPass / {origin().url}\nCustomLog fifo "{long} %U"\nCustomLog access.log "%U"'
    )
    with Load(proxy) as load:  # 4 MiB wait in memory, 64 KiB in the pipe
        wait_for(lambda: load.count() >= 1200 or load.errors, 60, "requests to be served")
    assert not load.errors, load.errors
    assert load.longest < 2 * SLOWNESS
    assert len(lines_of(proxy, "access.log", load.count())) == load.count()
    begin = time.monotonic()
    proxy.stop()
    assert time.monotonic() - begin < 6 * SLOWNESS
    lost = re.search(r"access_log_lines_lost_total (\d+)", proxy.log())
    assert lost, proxy.log()
    assert 100 < int(lost.group(1)) < load.count()


def test_a_fifo_with_a_reader(weir, origin, directory):
    os.mkfifo(os.path.join(directory, "fifo"))
    proxy = weir(f'ProxyPass / {origin().url}\nCustomLog fifo "%U"')
    reader = os.open(os.path.join(directory, "fifo"), os.O_RDONLY | os.O_NONBLOCK)
    proxy.get("/one")
    proxy.get("/two")
    got = b""

    def complete():
        nonlocal got
        try:
            got += os.read(reader, 1000)
        except BlockingIOError:
            pass
        return got.count(b"\n") == 2

    wait_for(complete, 10, "two lines from the FIFO")
    assert got == b"/one\n/two\n"
    os.close(reader)


def test_dev_stdout(weir, origin):
    proxy = weir(f'ProxyPass / {origin().url}\nCustomLog /dev/stdout "logged %U"')
    proxy.get("/page")
    proxy.wait_for_log(r"(?m)^logged /page$")


def test_a_reload_changes_the_log(weir, origin):
    server = origin()
    proxy = weir(f'ProxyPass / {server.url}\nCustomLog one.log "%U"')
    proxy.get("/1")
    lines_of(proxy, "one.log")
    proxy.write_config(f'ProxyPass / {server.url}\nCustomLog two.log "%U %s"')
    proxy.send_signal(signal.SIGHUP)
    wait_for(lambda: os.path.exists(os.path.join(proxy.directory, "two.log")), 10, "the new log")

    def written():
        proxy.get("/2")
        return proxy.file("two.log")

    wait_for(written, 10, "a line in the new log", every=0.1)
    assert lines_of(proxy, "two.log")[0] == "/2 200"


def test_files_are_not_for_everybody(weir, origin):
    proxy = weir(f"ProxyPass / {origin().url}\nCustomLog access.log combined")
    assert os.stat(os.path.join(proxy.directory, "access.log")).st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "config, wanted",
    [
        ('LogFormat "%h %Z" mine', r'proxy\.conf:1:11: error: LogFormat: "%Z" is no format code that weir knows'),
        ('CustomLog a "%{weir-decison}x"', r"did you mean \"%\{weir-decision\}x\"\?"),
        ('CustomLog a "%i"', r'"%i" lacks a name'),
        ('CustomLog a "%{Referer"', r"has no closing \}"),
    ],
)
def test_formats_are_checked(weir_command, config, wanted):
    result = weir_command("-t", config=f"{config}\nListen 127.0.0.1:9")
    assert result.returncode == 1
    assert re.search(wanted, result.stderr), result.stderr


def test_a_log_that_cannot_be_opened_stops_the_start(weir_command, directory):
    os.mkdir(os.path.join(directory, "access.log"))
    result = weir_command(config=f"Listen 127.0.0.1:{free_port()}\nCustomLog access.log common")
    assert result.returncode == 1
    assert re.search(r"proxy\.conf:2: CustomLog: cannot open \S*/access\.log: Is a directory", result.stderr), result.stderr
