"""A private, real Apache on loopback: static files of several sizes and a few CGI programs."""
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import textwrap

from support.wait import free_port, listens, wait_for

MODULES = "/usr/lib/apache2/modules"
BINARY = "/usr/sbin/apache2"

CONFIG = """\
ServerRoot {directory}
ServerName localhost
PidFile {directory}/apache.pid
DefaultRuntimeDir {directory}
ErrorLog {directory}/error.log
LogLevel warn
Listen 127.0.0.1:{port}
{modules}
{user}
StartServers 2
ServerLimit 2
ThreadsPerChild 64
MaxRequestWorkers 128
MinSpareThreads 32
MaxSpareThreads 128
Timeout 60
KeepAlive On
KeepAliveTimeout 15
MaxKeepAliveRequests 0
EnableSendfile On
DocumentRoot {directory}/htdocs
DirectoryIndex index.html
TypesConfig /dev/null
AddType text/html .html
AddType text/plain .txt
LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
CustomLog {directory}/access.log common
ScriptSock {directory}/cgid.sock
ScriptAlias /cgi-bin/ {directory}/cgi-bin/
<Directory />
    Require all granted
</Directory>
{extra}
"""

# Each program says what it shows. `gate` in the query names a file that lets "slowly" go on.
CGI = {
    "slowly": """\
        #!/bin/sh
        # Sends a first part, waits until the file named by the query exists (30 s at most), sends the rest.
        printf 'Content-Type: text/plain\\r\\n\\r\\n'
        echo first
        n=0
        while [ ! -e "{directory}/gates/$QUERY_STRING" ] && [ $n -lt 600 ]; do
            sleep 0.05
            n=$((n + 1))
        done
        echo last
        """,
    "upload": """\
        #!/usr/bin/python3
        # Reads the body and answers with its length and SHA-256.
        import hashlib, sys
        digest, length = hashlib.sha256(), 0
        while data := sys.stdin.buffer.read(65536):
            digest.update(data)
            length += len(data)
        print(f"Content-Type: text/plain\\n\\n{length} {digest.hexdigest()}")
        """,
    "environment": """\
        #!/bin/sh
        # What Apache knows of the request.
        printf 'Content-Type: text/plain\\r\\n\\r\\n'
        env | sort
        """,
}

SIZES = {"0": 0, "1": 1, "1k": 1024, "64k": 65536, "10m": 10 * 1024 * 1024}


def content(size):
    """Bytes that differ everywhere, the same at every call."""
    block = hashlib.sha256(b"weir").digest()
    blocks = []
    for number in range(size // 4096 + 1):
        blocks.append((hashlib.sha256(block + number.to_bytes(4, "big")).digest() * 128))
    return b"".join(blocks)[:size]


class Apache:
    """start() and stop() may be called again: it comes back on the same port, with the same files."""

    def __init__(self, extra=""):
        # Apache's children are another user when this runs as root, so everybody must be able to read along the path.
        self.directory = tempfile.mkdtemp(prefix="weir-apache-")
        os.chmod(self.directory, 0o755)
        self.port = free_port()
        self.process = None
        self.files = {f"{name}.txt": content(size) for name, size in SIZES.items()}
        self._write_files(extra)
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def _write_files(self, extra):
        for name in ("htdocs", "cgi-bin", "gates"):
            os.mkdir(f"{self.directory}/{name}")
            os.chmod(f"{self.directory}/{name}", 0o755)
        self.write("index.html", b"<!DOCTYPE html><title>Apache</title><h1>It is Apache</h1>\n")
        for name, data in self.files.items():
            self.write(name, data)
        for name, text in CGI.items():
            path = f"{self.directory}/cgi-bin/{name}"
            text = textwrap.dedent(text)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace("{directory}", self.directory))
            os.chmod(path, 0o755)
        names = ["mpm_event", "authz_core", "mime", "dir", "alias", "cgid"]
        built_in = subprocess.run([BINARY, "-l"], capture_output=True, text=True, check=True).stdout
        modules = [
            f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in names if f"mod_{name}.c" not in built_in
        ]
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        with open(f"{self.directory}/apache.conf", "w", encoding="utf-8") as file:
            file.write(
                CONFIG.format(
                    directory=self.directory, port=self.port, modules="\n".join(modules), user=user, extra=extra
                )
            )

    def write(self, name, data):
        """A file to serve."""
        path = f"{self.directory}/htdocs/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o644)

    def open_gate(self, name):
        """Lets /cgi-bin/slowly?name go on."""
        with open(f"{self.directory}/gates/{name}", "wb"):
            pass

    def error_log(self):
        with open(f"{self.directory}/error.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def access_log(self):
        with open(f"{self.directory}/access.log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        # In the foreground, in a process group of its own, so that all of it can be ended and nothing else.
        with open(f"{self.directory}/stderr.log", "ab") as errors:
            self.process = subprocess.Popen(
                [BINARY, "-f", f"{self.directory}/apache.conf", "-DFOREGROUND"],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        wait_for(lambda: listens(self.port) or self.process.poll() is not None, 15, "Apache to listen")
        if self.process.poll() is not None:
            with open(f"{self.directory}/stderr.log", encoding="utf-8", errors="replace") as file:
                raise AssertionError("Apache did not start:\n" + file.read())

    def stop(self, kill=False):
        """TERM, or with kill everything at once, as a crash would."""
        if self.process is None:
            return
        try:
            if kill:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.terminate()
            self.process.wait(15)
        except (subprocess.TimeoutExpired, ProcessLookupError):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None
        wait_for(lambda: not listens(self.port), 10, "Apache to have stopped")

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
