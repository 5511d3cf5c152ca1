"""What the programs that compare proxies share: the packages they need, proxies that run, rounds in turn, and the table.

In each round every proxy is measured once for each figure, beginning with another one each time: what disturbs the machine
meets all of them. samples[key][name] is a list of one value a round.
"""
import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

import measure
import proxies

PACKAGES = {"nginx": "nginx-light", "haproxy": "haproxy", "wrk": "wrk", "strace": "strace", "openssl": "openssl", "cc": "gcc"}


class Running:
    """A proxy that has been started, on the first core or on those that are said."""

    def __init__(self, proxy, origin_port, directory, cores=measure.PROXY_CORE):
        self.proxy = proxy
        self.directory = tempfile.mkdtemp(dir=directory)
        os.chmod(self.directory, 0o755)
        self.port = measure.free_port()
        path = f"{self.directory}/configuration"
        with open(path, "w", encoding="ascii") as file:
            file.write(proxy.configuration(self.port, origin_port, self.directory))
        log = f"{self.directory}/output"
        with open(log, "wb") as output:
            self.process = measure.start(proxy.command(path, self.directory), cores, stdout=output, stderr=output)
        measure.wait_for_port(self.port, self.process, log)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        measure.stop(self.process)


def install(*tools):
    """The packages of tools that are not there; without arguments those of all."""
    wanted = tools or PACKAGES
    missing = [PACKAGES[tool] for tool in wanted if not shutil.which(tool, path=proxies.PATH)]
    if not missing:
        return
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")  # RUNLEVEL: no service is started
    sudo = [] if os.getuid() == 0 else ["sudo", "-E"]
    subprocess.run([*sudo, "apt-get", "-qq", "update"], check=True, env=environment, stdout=sys.stderr)
    subprocess.run(
        [*sudo, "apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing], check=True, env=environment, stdout=sys.stderr
    )


def say(text):
    print(text, file=sys.stderr, flush=True)


def chosen(names, among):
    """Those of a comma-separated list, when there is a program of each."""
    found = [among[name] for name in names.split(",")]
    for proxy in found:
        if not proxy.binary() or not os.access(proxy.binary(), os.X_OK):
            raise SystemExit(f"{proxy.name}: no program at {proxy.binary()}; build it first (scripts/build build), or set WEIR_BIN")
    if measure.PROXY_CORE == measure.LOAD_CORE:
        say("there is one core only: the proxy and its load share it, and the figures say little")
    return found


def note(samples, key, one, value):
    samples.setdefault(key, {}).setdefault(one.proxy.name, []).append(value)


def in_turn(running, count, measure_one):
    """measure_one(proxy that runs), once a round for each."""
    for number in range(count):
        say(f"round {number + 1} of {count}")
        turn = number % len(running)
        for one in running[turn:] + running[:turn]:
            measure_one(one)


def table(samples, names, rows):
    """rows: (key, what the row is called, decimals); a row without samples is left out, a cell without is a dash."""
    others = [name for name in names if name != "weir"] if "weir" in names else []
    heads = ["figure", *names, *(f"weir / {name}" for name in others)]
    lines = [f"| {' | '.join(heads)} |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    for key, title, decimals in rows:
        values = samples.get(key)
        if not values:
            continue
        cells = [f"{statistics.median(values[name]):,.{decimals}f}" if name in values else "-" for name in names]
        for name in others:
            ratios = [mine / theirs for mine, theirs in zip(values.get("weir", []), values.get(name, [])) if theirs > 0]
            cells.append(f"{statistics.median(ratios):.2f}" if ratios else "-")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{os.cpu_count()} cores {model}, Linux {platform.release()}"


def heading(command, how, versions, load):
    """When, where and by what; load: of the machine before the start."""
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%d %B %Y")
    print(f"{date}, {machine()}; `{command}`, {how}.")
    print(f"Load average of the machine before the start: {load:.1f}.\n")
    print("\n".join(f"- {version}" for version in dict.fromkeys(versions)) + "\n")
