"""Processes on chosen cores, and what can be read of them: CPU time, memory, system calls; loads; connections that wait."""
import ctypes
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

PROXY_CORE, LOAD_CORE = 0, max(os.sched_getaffinity(0))
PR_SET_PDEATHSIG = 1
SCHEME = "http"  # of what wrk asks for
libc = ctypes.CDLL(None)


def raise_file_limit():
    """As many open files as the system gives: for the idle connections."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def start(command, core, **options):
    """Starts a process on one core, or on a set of them, that ends when this one does."""
    cores = core if isinstance(core, set) else {core}

    def prepare():
        os.sched_setaffinity(0, cores)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(command, preexec_fn=prepare, stdin=subprocess.DEVNULL, **options)


def compile_program(name, directory, *libraries):
    """Compiles NAME.c of this folder; returns the program's path."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.c")
    binary = f"{directory}/{name}"
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", binary, source, *libraries], check=True)
    return binary


def start_origin(directory):
    """Compiles the origin and starts it on the load's core; returns it and its port."""
    process = start([compile_program("origin", directory)], LOAD_CORE, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, log):
    for _ in range(500):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    with open(log, encoding="utf-8", errors="replace") as text:
        raise SystemExit(f"{process.args[0]} does not serve:\n{text.read()[-2000:]}")


def family(pid):
    """The process and all of its descendants."""
    pids = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with open(path, encoding="ascii") as children:
            for child in children.read().split():
                pids += family(int(child))
    return pids


def cpu_ns(pid):
    """Time on a CPU of all threads of the process and its descendants."""
    total = 0
    for member in family(pid):
        for path in glob.glob(f"/proc/{member}/task/*/schedstat"):
            try:
                with open(path, encoding="ascii") as statistics:
                    total += int(statistics.read().split()[0])
            except FileNotFoundError:
                pass
    return total


def memory_bytes(pid, kinds=("Pss_Anon:", "Pss_Shmem:")):
    """What belongs to the processes alone: anonymous and shared memory, by proportion where it is shared.

    kinds=("Pss:",): with what they have of the files of programs and libraries."""
    total = 0
    for member in family(pid):
        with open(f"/proc/{member}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith(kinds):
                    total += int(line.split()[1]) * 1024
    return total


DURATION = {"us": 1, "ms": 1000, "s": 1_000_000, "m": 60_000_000}


def wrk(port, path, connections, seconds, refused=False, close=False):
    """Loads; returns requests, requests a second, latency p50 and p99 in microseconds.

    refused: nearly all answers are refusals, and connections may be cut. close: each request on a connection of its own.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"{SCHEME}://127.0.0.1:{port}{path}"]
    command += ["-H", "Connection: close"] if close else []
    process = start(command, LOAD_CORE, stdout=subprocess.PIPE, text=True)
    text = process.communicate()[0]
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    count = int(re.search(r"(\d+) requests in", text).group(1)) if process.returncode == 0 else 0
    if process.returncode or (not refused and (bad or "Socket errors" in text)):
        raise SystemExit(f"wrk met errors:\n{text}")
    if refused and (bad is None or int(bad.group(1)) < 0.9 * count):
        raise SystemExit(f"these requests should have been refused:\n{text}")

    def latency(percent):
        value, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s|m)\b", text).groups()
        return float(value) * DURATION[unit]

    return {
        "requests": count,
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
        "p50": latency(50),
        "p99": latency(99),
    }


def loaded(pid, port, path, connections, seconds, **how):
    """A load, with the CPU time that it cost the proxy for each request, in microseconds."""
    before = cpu_ns(pid)
    result = wrk(port, path, connections, seconds, **how)
    result["cpu"] = (cpu_ns(pid) - before) / result["requests"] / 1000
    return result


def wait_for_tracer(pid):
    """Until each thread of the process is traced."""
    for _ in range(500):
        states = []
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as status:
                states.append(status.read())
        if all("TracerPid:\t0\n" not in state for state in states):
            return
        time.sleep(0.02)
    raise SystemExit("strace does not get hold of the process")


def system_calls(pid, port, path, connections, seconds, directory, **how):
    """System calls for each request, and a text that says which."""
    report = f"{directory}/strace"
    command = ["strace", "-f", "-qq", "-c", "-U", "name,calls", "-S", "calls", "-o", report]
    for member in family(pid):
        command += ["-p", str(member)]
    tracer = start(command, LOAD_CORE, stderr=subprocess.DEVNULL)
    for member in family(pid):
        wait_for_tracer(member)
    requests = wrk(port, path, connections, seconds, **how)["requests"]
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    calls = {}
    with open(report, encoding="utf-8") as lines:
        for line in lines:
            row = re.match(r"\s*(\w+)\s+(\d+)\s*$", line)
            if row and row.group(1) != "total":
                calls[row.group(1)] = int(row.group(2)) / requests
    most = sorted(calls.items(), key=lambda item: -item[1])
    return sum(calls.values()), ", ".join(f"{name} {count:.2f}" for name, count in most if count >= 0.05)


class CallCounter:
    """Within it all system calls of the processes are counted: by perf at full speed, or by strace where perf may not."""

    def __init__(self, pid, directory):
        self.pids = family(pid)
        self.report = f"{directory}/calls"
        self.count = None

    def __enter__(self):
        self.tracer = self._start_perf() if shutil.which("perf") else None
        self.by_perf = self.tracer is not None
        if not self.by_perf:
            attached = [argument for pid in self.pids for argument in ("-p", str(pid))]
            command = ["strace", "-f", "-qq", "-c", "-U", "name,calls", "-o", self.report, *attached]
            self.tracer = start(command, LOAD_CORE, stderr=subprocess.DEVNULL)
            for pid in self.pids:
                wait_for_tracer(pid)
        return self

    def _start_perf(self):
        """None: it may not."""
        control, orders = os.pipe()
        answers, acknowledge = os.pipe()
        command = ["perf", "stat", "-x", ",", "-o", self.report, "-e", "raw_syscalls:sys_enter", "-p", ",".join(map(str, self.pids))]
        command += ["-D", "-1", "--control", f"fd:{control},{acknowledge}"]
        tracer = start(command, LOAD_CORE, pass_fds=(control, acknowledge), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(control)
        os.close(acknowledge)
        try:
            os.write(orders, b"enable\n")
            ready = os.read(answers, 16).startswith(b"ack")  # nothing: it has ended
        except BrokenPipeError:
            ready = False
        os.close(answers)
        self.orders = orders  # open as long as it counts: it ends with them
        if not ready:
            os.close(orders)
            stop(tracer)
            return None
        return tracer

    def __exit__(self, *_):
        self.tracer.send_signal(signal.SIGINT)
        self.tracer.wait()
        if self.by_perf:
            os.close(self.orders)
        pattern = r"^(\d+),,raw_syscalls" if self.by_perf else r"^\s*(?!total)\w+\s+(\d+)\s*$"
        with open(self.report, encoding="utf-8") as lines:
            self.count = sum(map(int, re.findall(pattern, lines.read(), re.MULTILINE)))


class Requests:
    """The load of requests.c: every request that it sends is answered and counted. Needs libssl-dev, as weir does."""

    def __init__(self, directory):
        self.program = compile_program("requests", directory, "-lssl", "-lcrypto")

    def run(self, port, path, connections, seconds, new=False, tls=False):
        """Loads; returns requests, bytes (of bodies), seconds. new: each request on a connection of its own."""
        command = [self.program, str(port), path, str(connections), str(round(seconds * 1000)), "new" if new else "kept"]
        process = start(command + (["tls"] if tls else []), LOAD_CORE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        output, problem = process.communicate(timeout=60 + 10 * seconds)
        if process.returncode:
            raise SystemExit(f"{' '.join(command[1:])}: {problem}")
        result = json.loads(output)
        if result["resumed"]:
            raise SystemExit(f"{result['resumed']} of {result['connections']} sessions were resumed: no figure of full handshakes")
        return result

    def cpu_ns(self, pid, port, path, connections, seconds, **how):
        """The CPU time that such a load costs the proxy, and the load's figures."""
        before = cpu_ns(pid)
        result = self.run(port, path, connections, seconds, **how)
        return cpu_ns(pid) - before, result

    def system_calls(self, pid, directory, port, path, connections, seconds, **how):
        """System calls for each request."""
        with CallCounter(pid, directory) as counter:
            result = self.run(port, path, connections, seconds, **how)
        return counter.count / result["requests"]


def open_idle(port, count, context=None):
    """Connections, with TLS by the context, that have made one request and now wait.

    One after the other: how many a proxy serves at once, and has buffers for, should not depend on when it gets its turn."""
    request = b"GET /1024 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    opened = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), 10)
        client = context.wrap_socket(client) if context else client
        client.sendall(request)
        got = b""
        while len(got.partition(b"\r\n\r\n")[2]) < 1024:
            data = client.recv(4096)
            if not data:
                raise SystemExit("a connection that should stay idle was closed")
            got += data
        opened.append(client)
    return opened


def idle_connections(pid, port, count, context=None):
    """Growth of memory for each of count idle connections after the first ones, and the processes' memory with all, in bytes."""
    first = min(100, count // 2)
    warm = open_idle(port, first, context)
    before = memory_bytes(pid)
    idle = open_idle(port, count - first, context)
    time.sleep(1)
    each, everything = (memory_bytes(pid) - before) / len(idle), memory_bytes(pid, ("Pss:",))
    for client in warm + idle:
        client.close()
    return each, everything
