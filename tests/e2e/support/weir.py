"""Starts, watches and stops the real weir."""
import ctypes
import os
import re
import shlex
import signal
import subprocess

from support.client import Connection, fetch
from support.wait import SLOWNESS, free_port, listens, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BINARY = os.path.abspath(os.environ.get("WEIR_BIN", f"{ROOT}/build/weir"))
WRAPPER = shlex.split(os.environ.get("WEIR_WRAPPER", ""))

# What must never be in weir's output, whatever it was tested for.
ALARMS = re.compile(
    r"Assertion|runtime error|Sanitizer|AddressSanitizer|LeakSanitizer|UndefinedBehavior|WARNING: ThreadSanitizer"
    r"|stack smashing|buffer overflow detected|double free|free\(\): invalid|malloc\(\)|corrupted|libev: "
    r"|==\d+== (Invalid|Conditional|Use of|Syscall param|Process terminating|.*definitely lost: [1-9])"
    r"|Segmentation fault|core dumped"
)
SUPPRESSIONS = f"{ROOT}/tests/e2e/support/tsan.supp"

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Makes a weir that replaced itself (USR2) our child when its parent ends, so that it can be waited for."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def environment(extra=None):
    values = dict(os.environ)
    values["ASAN_OPTIONS"] = "detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0"
    values["UBSAN_OPTIONS"] = "print_stacktrace=1"
    values["TSAN_OPTIONS"] = f"second_deadlock_stack=1:suppressions={SUPPRESSIONS}"
    values.pop("NOTIFY_SOCKET", None)
    values.update(extra or {})
    return values


def alarms(text):
    """The first alarming line of weir's output with what follows it, or None."""
    found = ALARMS.search(text)
    return text[max(0, found.start() - 200) : found.start() + 4000] if found else None


def run(*arguments, config=None, directory=None, files=None, timeout=20, env=None):
    """Runs weir to its end, e.g. run("-t", config="Listen 80\\n"). Returns CompletedProcess (text).

    config is written to proxy.conf of the directory, which is also where weir runs: messages name it "proxy.conf".
    files: more of them, by name.
    """
    arguments = list(arguments)
    for name, text in (files or {}).items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(text.encode("utf-8") if isinstance(text, str) else text)
    if config is not None:
        with open(os.path.join(directory, "proxy.conf"), "wb") as file:
            file.write(config.encode("utf-8") if isinstance(config, str) else config)
        arguments = ["-c", "proxy.conf", *arguments]
    result = subprocess.run(
        [*WRAPPER, BINARY, *arguments],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout * SLOWNESS,
        env=environment(env),
        check=False,
    )
    alarm = alarms(result.stdout + result.stderr)
    assert alarm is None, f"weir {' '.join(arguments)}:\n{alarm}"
    return result


class Weir:
    """A running weir.

    config: the text of proxy.conf; without a Listen line it listens on a free loopback port, without a Workers line it
    has two. Paths in it are relative to directory. stop() asks for TERM and expects exit code 0.
    """

    def __init__(self, config, directory, arguments=(), workers=2, env=None, wait=True, name="proxy.conf", preexec=None):
        self.directory = str(directory)
        self.config_path = os.path.join(self.directory, name)
        self.log_path = os.path.join(self.directory, f"{name}.stderr")
        self.port = None
        self.workers = workers
        self.exit_code = None
        self.main_pid = None  # after USR2: of the process that took over
        self.write_config(config)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*WRAPPER, BINARY, "-c", name, *arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(env),
                preexec_fn=preexec,
                start_new_session=True,
            )
        if wait:
            self.wait_until_listening()

    def write_config(self, config):
        """Writes proxy.conf anew; the Listen and Workers lines that are added stay the same."""
        added = []
        listen = re.search(r"(?mi)^\s*Listen\s+(?:\S*:)?(\d+)(?:\s|$)", config)
        if listen:
            self.port = int(listen.group(1))
        elif not re.search(r"(?mi)^\s*Listen\s", config):
            self.port = self.port or free_port()
            added.append(f"Listen 127.0.0.1:{self.port}")
        if self.workers and not re.search(r"(?mi)^\s*Workers\s", config):
            added.append(f"Workers {self.workers}")
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write("\n".join([*added, config, ""]))

    def wait_until_listening(self):
        def ready():
            return self.process.poll() is not None or self.port is None or listens(self.port)

        wait_for(ready, 20, "weir to listen")
        if self.process.poll() is not None:
            self.exit_code = self.process.returncode
            raise AssertionError(f"weir did not start (exit code {self.process.returncode}):\n{self.log()}")

    # --- what it says ---

    def log(self):
        """All it has written to stdout and stderr."""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def file(self, name):
        """The text of a file in its directory (a log), "" when there is none."""
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_for_log(self, text, deadline=10.0, name=None):
        """Waits until text (a regular expression) is in the log, or in the file of that name."""
        source = (lambda: self.file(name)) if name else self.log
        return wait_for(lambda: re.search(text, source()), deadline, f"{text!r} in the log:\n{source()[-2000:]}")

    # --- what is done with it ---

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    @property
    def pid(self):
        return self.main_pid or self.process.pid

    def connect(self, **options):
        return Connection(self.port, **options)

    def get(self, target="/", **options):
        """One GET (or another method) on a connection of its own."""
        return fetch(self.port, target, **options)

    def send_signal(self, number):
        os.kill(self.pid, number)

    def reload(self, config=None, expect=None):
        """HUP, with a new configuration if one is given; waits until the log has expect once more."""
        before = len(re.findall(expect, self.log())) if expect else 0
        if config is not None:
            self.write_config(config)
        self.send_signal(signal.SIGHUP)
        if expect:
            wait_for(lambda: len(re.findall(expect, self.log())) > before, 10, f"{expect!r} after HUP:\n{self.log()}")

    def descriptors(self):
        """How many descriptors the process has open; not before the workers have theirs, which listening comes before."""
        self.wait_for_log("is serving on")
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def running(self):
        return self.exit_code is None and self._poll() is None

    def _poll(self):
        if self.main_pid is None:
            return self.process.poll()
        try:
            pid, status = os.waitpid(self.main_pid, os.WNOHANG)
        except ChildProcessError:
            return None if os.path.exists(f"/proc/{self.main_pid}") else 0
        return os.waitstatus_to_exitcode(status) if pid else None

    def wait(self, deadline=20.0):
        """Waits for its end; returns the exit code (negative: the signal)."""

        def has_ended():
            if self.exit_code is None:
                self.exit_code = self._poll()
            return self.exit_code is not None

        wait_for(has_ended, deadline, lambda: f"the end of weir:\n{self.log()[-3000:]}", every=0.01)
        return self.exit_code

    def stop(self, number=signal.SIGTERM, deadline=20.0, expect=0):
        """Asks it to end and checks how it did. May be called again."""
        if self.exit_code is None:
            if self._poll() is None:
                self.send_signal(number)
            try:
                self.wait(deadline)
            finally:
                self.kill()
        assert self.exit_code == expect, f"weir ended with {self.exit_code}, not {expect}:\n{self.log()[-6000:]}"

    def kill(self):
        """The last resort; also ends what it may have left behind in its session."""
        for pid in (self.main_pid, self.process.pid):
            if pid is not None and self.exit_code is None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait()

    def check(self):
        """Fails when its output has an alarm of an assertion or a sanitizer."""
        alarm = alarms(self.log())
        assert alarm is None, f"weir raised an alarm:\n{alarm}"
