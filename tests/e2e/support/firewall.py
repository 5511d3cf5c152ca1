"""A network namespace with nftables for a test, in which the test's own process, its origins and weir live."""
import ctypes
import json
import os
import shutil
import subprocess

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

RULES = """
table inet filter {
    set weir { type ipv4_addr; flags timeout; }
    set weir6 { type ipv6_addr; flags interval, timeout; }
    chain input {
        type filter hook input priority 0;
        tcp dport PORT ip saddr @weir counter drop
        tcp dport PORT ip6 saddr @weir6 counter drop
    }
}
"""


def why_not():
    """Why no namespace can be made here; None: it can."""
    for program in ("nft", "ip"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    test = "ip link set lo up && nft add table inet weir-probe"
    if os.geteuid() != 0:
        return "only root may make a network namespace"
    done = subprocess.run(["unshare", "-n", "sh", "-c", test], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"no network namespace with nftables here: {done.stderr.strip()}"


class Namespace:
    """Enters a new network namespace; leave() goes back. Threads and processes begun meanwhile live in it."""

    def __init__(self):
        self.before = os.open("/proc/self/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    def leave(self):
        LIBC.setns(self.before, CLONE_NEWNET)
        os.close(self.before)

    def nft(self, commands):
        subprocess.run(["nft", "-f", "-"], input=commands, text=True, check=True)

    def rules(self, port):
        """The ruleset that drops what comes from the sets, for one port."""
        self.nft("flush ruleset\n" + RULES.replace("PORT", str(port)))

    def elements(self, name="weir"):
        """The elements of a set: {"192.0.2.7": seconds that it has left}."""
        done = subprocess.run(
            ["nft", "-j", "list", "set", "inet", "filter", name], capture_output=True, text=True, check=True
        )
        (found,) = [item["set"] for item in json.loads(done.stdout)["nftables"] if "set" in item]
        elements = {}
        for element in found.get("elem", []):
            value = element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element
            left = element["elem"].get("expires") if isinstance(element, dict) and "elem" in element else None
            if isinstance(value, dict):
                value = f"{value['prefix']['addr']}/{value['prefix']['len']}"
            elements[value] = left
        return elements
