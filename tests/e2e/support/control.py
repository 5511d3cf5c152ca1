"""The control socket of a running weir: by curl as scripts use it, by raw HTTP, and by weirctl.

    control = Control(weir(f"{CONTROL}\nProxyPass / {server.url}"))
    assert control.get("/json").status == 200
    assert control.weirctl("reload").returncode == 0
"""
import http.client
import json
import os
import socket
import subprocess

from support import weir as weir_module
from support.wait import SLOWNESS, wait_for

CONTROL = "ControlSocket control.sock"
WEIRCTL = os.path.join(os.path.dirname(weir_module.BINARY), "weirctl")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=20 * SLOWNESS)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body
        self.text = body.decode("utf-8")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status}: {self.text[:300]}>"


def run_weirctl(*arguments, env=None):
    """Runs weirctl to its end; what its sanitizers say is a failure."""
    result = subprocess.run(
        [WEIRCTL, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30 * SLOWNESS,
        env=weir_module.environment(env),
        check=False,
    )
    alarm = weir_module.alarms(result.stderr)
    assert alarm is None, alarm
    return result


class Control:
    def __init__(self, proxy, name="control.sock"):
        self.path = os.path.join(proxy.directory, name)
        wait_for(self.listens, 20, f"weir to listen at {name}")  # it is opened after the ports

    def listens(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.path) == 0

    def ask(self, method, target, body=None, headers=None):
        connection = UnixConnection(self.path)
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        connection.close()
        return answer

    def get(self, target, **options):
        return self.ask("GET", target, **options)

    def post(self, target, **options):
        return self.ask("POST", target, **options)

    def curl(self, target, *arguments):
        """(status, body) as a script gets it."""
        result = subprocess.run(
            ["curl", "-s", "-w", "\n%{http_code}", "--unix-socket", self.path, *arguments, f"http://localhost{target}"],
            capture_output=True,
            text=True,
            timeout=30 * SLOWNESS,
            check=True,
        )
        body, _, status = result.stdout.rpartition("\n")
        return int(status), body

    def weirctl(self, *arguments, **options):
        return run_weirctl("--socket", self.path, *arguments, **options)
