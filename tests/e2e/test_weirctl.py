"""weirctl: each command, its formats, its exit codes; the manual pages and the completion."""
import csv
import io
import json
import os
import re
import subprocess

import pytest
from support import status as status_module
from support import weir as weir_module
from support.control import CONTROL, Control, run_weirctl
from support.origin import response
from support.wait import wait_for

HOST = """StateFile state.db
<VirtualHost *>
ServerName shop.example
CBandLimit 100M
ProxyPass / {url}
</VirtualHost>"""


@pytest.fixture(name="proxy")
def proxy_fixture(weir, origin):
    def script(connection):
        while connection.read_request() is not None:
            connection.send(response(b"x" * 1000))

    proxy = weir(f"{CONTROL}\n{HOST.format(url=origin(script).url)}")
    assert proxy.get("/", host="shop.example").status == 200
    wait_for(lambda: Control(proxy).get("/json").json()["server"]["traffic"]["requests"] == 1)
    return proxy


@pytest.fixture(name="weirctl")
def weirctl_fixture(proxy):
    """weirctl("hosts") must succeed and say nothing on standard error; returns what it printed."""

    def run(*arguments):
        result = Control(proxy).weirctl(*arguments)
        assert (result.returncode, result.stderr) == (0, ""), result
        return result.stdout

    return run


def test_status(proxy, weirctl):
    text = weirctl("status")
    assert re.search(rf"^process +up .*, pid {proxy.pid}, 2 workers, configuration 1$", text, re.M)
    assert re.search(r"^requests .* 1 since the start", text, re.M)
    assert "last reload  none yet" in text
    assert json.loads(weirctl("status", "--json"))["server"]["pid"] == proxy.pid
    status_module.valid_xml(weirctl("status", "--xml").encode())


def test_lists(weirctl):
    lines = weirctl("hosts").splitlines()
    assert lines[0].split()[:4] == ["NAME", "USER", "SPEED", "REQ/S"]
    assert any(line.startswith("shop.example ") for line in lines)
    assert len({line.index("  ") >= 0 for line in lines}) == 1
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(weirctl("hosts", "--csv")))}
    assert rows["shop.example"]["limits_total"] == "100000000"
    assert rows["shop.example"]["traffic_requests"] == "1"
    read = {host["name"]: host for host in json.loads(weirctl("--json", "hosts"))}
    assert read["shop.example"]["limits"]["total"] == 100_000_000
    assert weirctl("users") == "No user is configured.\n"
    assert json.loads(weirctl("users", "--json")) == []
    assert weirctl("classes", "--csv").startswith("name,")
    assert "127.0.0.1" in weirctl("clients")
    assert weirctl("blocks") == "Nobody is blocked.\n"


def test_usage(weirctl):
    assert re.search(r"^host +shop\.example +1\.1 KiB ", weirctl("usage"), re.M)
    (row,) = csv.DictReader(io.StringIO(weirctl("usage", "--csv", "--host", "shop.example", "--by", "day")))
    assert row["requests"] == "1"
    assert json.loads(weirctl("usage", "--json", "--from", "2001-01-01", "--to", "2001-01-31"))["rows"] == []
    assert weirctl("usage", "--month", "2001-01").endswith("Nothing was used.\n")


def test_commands(proxy, weirctl):
    assert weirctl("reset", "host", "shop.example") == "usage of 1 host was reset\n"
    assert weirctl("reset", "user", "all") == "usage of 0 users was reset\n"
    assert weirctl("reset", "all").splitlines() == ["usage of 2 hosts was reset", "usage of 0 users was reset"]
    assert "generation 2" in weirctl("reload")
    assert weirctl("log-level", "info").startswith("log level info, it was notice")
    assert "takes no new connections" in weirctl("drain")
    assert proxy.wait() == 0


def test_blocks(weir, origin):
    server = origin(lambda connection: None)
    control = Control(weir(f"{CONTROL}\nDOSEnabled On\nProxyPass / {server.url}"))
    assert control.weirctl("block", "192.0.2.7", "3600").stdout.startswith("192.0.2.7/32 is blocked for 3600 seconds")
    lines = control.weirctl("blocks").stdout.splitlines()
    assert lines[0].split()[:3] == ["ADDRESS", "REASON", "HOST"]
    assert re.match(r"192\.0\.2\.7 +by-hand +\d+s +(1h 00m|59m \d\ds) +0", lines[1])
    (row,) = csv.DictReader(io.StringIO(control.weirctl("blocks", "--csv").stdout))
    assert (row["address"], row["reason"]) == ("192.0.2.7", "by-hand")
    assert control.weirctl("block", "nobody").returncode == 1
    assert control.weirctl("unblock", "192.0.2.7").stdout == "1 block ended\n"
    assert control.weirctl("unblock", "192.0.2.7").returncode == 1
    assert control.weirctl("unblock", "all").returncode == 0


def test_a_good_reload_is_exit_code_0_with_the_warnings(proxy):
    proxy.write_config(f"{CONTROL}\nMaxClients 10\n")
    result = Control(proxy).weirctl("reload")
    assert (result.returncode, result.stderr) == (0, "")
    assert "generation 2" in result.stdout and "warning: MaxClients: has no effect" in result.stdout


def test_a_bad_reload_is_exit_code_1_with_the_mistakes(proxy):
    proxy.write_config(f"{CONTROL}\nKeepAlive Perhaps\n")
    result = Control(proxy).weirctl("reload")
    assert (result.returncode, result.stdout) == (1, "")
    assert "KeepAlive" in result.stderr and "proxy.conf:4:" in result.stderr


def test_exit_codes(proxy, directory):
    control = Control(proxy)
    assert control.weirctl("reset", "host", "none.example").returncode == 1
    assert control.weirctl("usage", "--month", "never").returncode == 1
    assert control.weirctl("fly").returncode == 2
    assert control.weirctl().returncode == 2
    assert control.weirctl("reset", "planet", "earth").returncode == 2
    assert control.weirctl("reset", "host").returncode == control.weirctl("reset", "planet").returncode == 2
    assert control.weirctl("top").returncode == 2
    unreached = run_weirctl("--socket", f"{directory}/none.sock", "status")
    assert unreached.returncode == 3
    assert "none.sock: No such file or directory" in unreached.stderr
    proxy.stop()
    assert control.weirctl("status").returncode == 3


def test_the_socket_is_found_by_the_configuration(proxy, directory):
    assert run_weirctl("--config", proxy.config_path, "status").returncode == 0
    with open(f"{directory}/bare.conf", "w", encoding="ascii") as file:
        file.write("Listen 127.0.0.1:1\n")
    bare = run_weirctl("--config", f"{directory}/bare.conf", "status")
    assert (bare.returncode, "has no ControlSocket" in bare.stderr) == (2, True)
    assert run_weirctl("--config", f"{directory}/none.conf", "status").returncode == 2


def test_another_answer_than_weirs(directory, origin):
    """Something else listens at the path."""
    path = f"{directory}/other.sock"
    with subprocess.Popen(
        ["/usr/bin/python3", "-c", "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n"
         "c=s.accept()[0]\nc.recv(999)\nc.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n[1, 2')", path]
    ) as other:
        wait_for(lambda: os.path.exists(path))
        result = run_weirctl("--socket", path, "hosts")
        other.wait()
    assert result.returncode == 1
    assert "is not understood" in result.stderr


def test_names_do_nothing_to_the_terminal(weir, origin):
    server = origin(lambda connection: None)
    proxy = weir(f"{CONTROL}\n<CBandUser \"evil\u009b31m\u202e\">\nCBandUserLimit 1G\n</CBandUser>\nProxyPass / {server.url}")
    text = Control(proxy).weirctl("users", env={"LC_ALL": "C.UTF-8"}).stdout
    assert "evil" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


# --- what comes with it ---


def test_help_and_version():
    text = run_weirctl("--help").stdout
    for command in ("status", "top", "hosts", "clients", "blocks", "block", "unblock", "reset", "usage", "reload", "drain", "log-level"):
        assert re.search(rf"^  {command} ", text, re.M)
    assert run_weirctl("--version").stdout.startswith("weirctl ")


def test_completion_knows_what_help_names():
    """Commands and options of --help, and no others."""
    with open(f"{weir_module.ROOT}/ctl/weirctl.bash", encoding="utf-8") as file:
        script = file.read()
    text = run_weirctl("--help").stdout
    commands = re.findall(r"^  ([a-z-]+) ", text.split("Options:")[0], re.M)
    assert commands == re.search(r'commands="([^"]*)"', script).group(1).split()
    options = set(re.findall(r"^  (--[a-z]+)", text, re.M))
    assert options == set(re.findall(r"--[a-z]+", script.split("_weirctl() {")[1]))
    subprocess.run(["bash", "-n", f"{weir_module.ROOT}/ctl/weirctl.bash"], check=True)


def test_manual_pages(weir_command, directory):
    printed = weir_command("--print-manual").stdout
    with open(f"{directory}/weir.conf.5", "w", encoding="utf-8") as file:
        file.write(printed)
    pages = [f"{weir_module.ROOT}/man/weir.8", f"{weir_module.ROOT}/man/weirctl.1", f"{directory}/weir.conf.5"]
    for page in pages:
        checked = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout
    directives = weir_command("-L").stdout
    shown = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", pages[2]], capture_output=True, text=True, check=True).stdout
    shown = re.sub(r".\x08", "", shown)
    for line in directives.splitlines():
        if line and not line.startswith(" "):
            assert line in shown, f"weir.conf(5) lacks: {line}"
    with open(pages[1], encoding="utf-8") as file:
        text = file.read().replace("\\-", "-")
    for option in re.findall(r"^  (--[a-z]+)", run_weirctl("--help").stdout, re.M):
        assert option in text, f"weirctl(1) lacks {option}"
    with open(pages[0], encoding="utf-8") as file:
        text = file.read().replace("\\-", "-")
    for option in re.findall(r"(--[a-z-]+)", weir_command("--help").stdout):
        assert option in text, f"weir(8) lacks {option}"
