"""weirctl top on a terminal of tmux: what is seen, what keys do, and what happens when weir goes away."""
import os
import re
import shlex
import subprocess
import uuid

import pytest
from support import weir as weir_module
from support.control import CONTROL, WEIRCTL, Control
from support.origin import response
from support.wait import wait_for

HOSTS = """<VirtualHost *>
ServerName alpha.example
ProxyPass / {url}
</VirtualHost>
<VirtualHost *>
ServerName beta.example
ProxyPass / {url}
</VirtualHost>"""


class Terminal:
    """A program on a screen of its own."""

    def __init__(self, directory, command, columns=140, lines=24):
        self.socket = os.path.join(directory, f"tmux-{uuid.uuid4().hex[:8]}")
        log = os.path.join(directory, "weirctl.stderr")
        line = f"LC_ALL=C.UTF-8 {shlex.join(command)} 2>{shlex.quote(log)}; echo ended with $?; sleep 600"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), line)
        self.log = log

    def tmux(self, *arguments):
        return subprocess.run(
            ["tmux", "-u", "-S", self.socket, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=weir_module.environment({"LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}),
        ).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def wait_for(self, pattern):
        """Until the screen has it (a regular expression); returns the screen."""

        def seen():
            text = self.screen()
            return text if re.search(pattern, text, re.M) else None

        return wait_for(seen, 15, f"{pattern!r} on the screen, which has:\n{self.screen()}", every=0.1)

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, check=False)
        with open(self.log, encoding="utf-8", errors="replace") as file:
            alarm = weir_module.alarms(file.read())
        assert alarm is None, alarm


@pytest.fixture(name="proxy")
def proxy_fixture(weir, origin):
    def script(connection):
        while connection.read_request() is not None:
            connection.send(response(b"x" * 1000))

    return weir(f"{CONTROL}\n{HOSTS.format(url=origin(script).url)}")


@pytest.fixture(name="top")
def top_fixture(proxy, directory):
    """top(*arguments, columns=…): the screen."""
    opened = []

    def start(*arguments, **options):
        command = [WEIRCTL, "--socket", Control(proxy).path, "top", "--delay", "0.3", *arguments]
        opened.append(Terminal(directory, command, **options))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def ask(proxy, name, count):
    for _ in range(count):
        assert proxy.get("/", host=name).status == 200


def hosts_in_order(text):
    return re.findall(r"^(alpha|beta)\.example", text, re.M)


def test_it_shows_hosts_and_follows(proxy, top):
    terminal = top()
    terminal.wait_for(r"^NAME +USER +SPEED")
    ask(proxy, "alpha.example", 3)
    text = terminal.wait_for(r"^alpha\.example .* 3 +0 +0 ")
    assert re.search(r"^weir 0\.\d+\.\d+ +up ", text)
    ask(proxy, "alpha.example", 2)
    terminal.wait_for(r"^alpha\.example .* 5 +0 +0 ")
    terminal.press("q")
    terminal.wait_for("^ended with 0")


def test_views(proxy, top):
    ask(proxy, "alpha.example", 1)
    terminal = top()
    terminal.wait_for(r"^NAME ")
    terminal.press("c")
    terminal.wait_for(r"^ADDRESS +HOST +SPEED")
    terminal.wait_for(r"^127\.0\.0\.1 +alpha\.example")
    terminal.press("b")
    terminal.wait_for(r"^ADDRESS +REASON")
    terminal.wait_for(r"^Nobody is blocked\.")
    terminal.press("Tab")
    terminal.wait_for(r"^NAME ")


def test_sorting(proxy, top):
    ask(proxy, "alpha.example", 1)
    ask(proxy, "beta.example", 4)
    terminal = top()
    terminal.wait_for(r"^hosts by SPEED ")
    terminal.press("<", "<")
    assert hosts_in_order(terminal.wait_for("^hosts by NAME ")) == ["alpha", "beta"]
    terminal.press("r")
    assert hosts_in_order(terminal.wait_for(r"^hosts by NAME \(reversed\)")) == ["beta", "alpha"]
    terminal.press("r", *[">"] * 7)
    assert hosts_in_order(terminal.wait_for("^hosts by REQUESTS ")) == ["beta", "alpha"]


def test_pause(proxy, top):
    terminal = top()
    terminal.wait_for("^NAME ")
    terminal.press("Space")
    terminal.wait_for("PAUSED")
    ask(proxy, "alpha.example", 7)
    terminal.press("c")
    terminal.wait_for("No client is known")  # the numbers are those of before
    terminal.press("h", "Space")
    text = terminal.wait_for(r"^alpha\.example .* 7 +0 +0 ")
    assert "PAUSED" not in text


def test_a_narrow_screen_and_a_change_of_size(proxy, top):
    terminal = top(columns=40, lines=8)
    text = terminal.wait_for("^NAME ")
    assert max(len(line) for line in text.splitlines()) <= 40
    terminal.tmux("resize-window", "-x", "150", "-y", "30")
    terminal.wait_for(r"q quit")
    terminal.tmux("resize-window", "-x", "20", "-y", "3")
    terminal.wait_for(r"^weir ")
    terminal.press("q")
    terminal.wait_for("ended with 0")


def test_weir_goes_and_comes_back(weir, proxy, top):
    terminal = top()
    terminal.wait_for("^NAME ")
    with open(proxy.config_path, encoding="utf-8") as file:
        config = file.read()
    proxy.stop()
    terminal.wait_for("cannot reach weir")
    again = weir(config)
    terminal.wait_for(r"connections +\S+ requests/s")
    ask(again, "beta.example", 2)
    terminal.wait_for(r"^beta\.example .* 2 +0 +0 ")


def test_the_end_by_a_signal_leaves_the_terminal_alone(top):
    terminal = top()
    terminal.wait_for("^NAME ")
    terminal.press("C-c")
    assert "NAME" not in terminal.wait_for("ended with")
