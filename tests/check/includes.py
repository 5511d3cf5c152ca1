#!/usr/bin/python3
"""Holds the sources to the rules that a compiler does not know.

  - a folder includes only what DESIGN's arrows allow (folders and outside libraries alike);
  - a file has at most 500 lines, a function at most 60;
  - every header compiles alone;
  - includes of the project are written from its root, and a .c includes its own header first.

Usage: includes.py [--cc gcc] [-I directory ...]; exit 1 and one line a breach.
"""
import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

FOLDERS = {  # what a folder may include
    "config": {"config"},
    "shaper": {"shaper", "config"},
    "proxy": {"proxy", "shaper", "config"},
    "stats": {"stats", "proxy", "shaper", "config"},
    "proxy/program": {"proxy", "proxy/program", "stats", "shaper", "config"},
    "ctl": {"ctl", "config"},
    "ctl/program": {"ctl", "config"},
}
OUTSIDE = {  # the libraries that only some folders may see
    "ev.h": {"proxy", "proxy/program"},
    "llhttp.h": {"proxy", "proxy/program"},
    "nftables/libnftables.h": {"proxy", "proxy/program"},
    "pcre2.h": {"config", "proxy/program"},
    "sys/socket.h": {"config", "proxy", "proxy/program"},
    "jansson.h": {"stats", "proxy/program", "ctl"},
    "curl/curl.h": {"ctl", "ctl/program"},
    "curses.h": {"ctl"},
    "libxml/xmlwriter.h": {"stats", "proxy/program"},
    "sqlite3.h": {"shaper", "proxy/program"},
}
OPENSSL = {"proxy", "proxy/program"}
FILE_LINES, FUNCTION_LINES = 500, 60
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def sources():
    for folder in FOLDERS:
        directory = os.path.join(ROOT, folder)
        if os.path.isdir(directory):
            for name in sorted(os.listdir(directory)):
                if name.endswith((".c", ".h", ".def")):
                    yield folder, f"{folder}/{name}"


def test_sources():
    for directory, _, names in os.walk(os.path.join(ROOT, "tests")):
        for name in sorted(names):
            if name.endswith((".c", ".h", ".py")):
                yield os.path.relpath(os.path.join(directory, name), ROOT)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().splitlines()


def folder_of(include):
    folder = os.path.dirname(include)
    return folder if folder in FOLDERS else None


def check_includes(folder, path, lines):
    mine = path[:-2] + ".h"
    first = True
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, include = match.groups()
        where = f"{path}:{number}"
        if quote == '"':
            other = folder_of(include)
            if other is None:
                yield f'{where}: "{include}": write includes from the project\'s root, e.g. "{folder}/{include}"'
            elif other not in FOLDERS[folder]:
                yield f"{where}: {folder}/ may not include {other}/ (only {', '.join(sorted(FOLDERS[folder]))})"
            if first and path.endswith(".c") and include != mine and os.path.exists(os.path.join(ROOT, mine)):
                yield f'{where}: a .c includes its own header first: "{mine}"'
        else:
            allowed = OPENSSL if include.startswith("openssl/") else OUTSIDE.get(include)
            if allowed is not None and folder not in allowed:
                yield f"{where}: <{include}> is not for {folder}/ (only {', '.join(sorted(allowed))})"
            own_exists = path.endswith(".c") and os.path.exists(os.path.join(ROOT, mine))
            if first and own_exists:
                yield f'{where}: a .c includes its own header first: "{mine}"'
        first = False


def check_lengths(path, lines):
    if len(lines) > FILE_LINES:
        yield f"{path}:{FILE_LINES}: {len(lines)} lines; a file has at most {FILE_LINES}: split it by idea"
    if not path.endswith((".c", ".h")):
        return
    start, begun = 0, False
    for number, line in enumerate(lines, 1):
        if not begun and line and re.match(r"[A-Za-z_]", line):
            start = number
        if not begun and line.endswith(") {") and re.match(r"[A-Za-z_]", lines[start - 1]):
            begun = True
        elif begun and line.startswith("}"):
            begun = False
            # Labels do not count: a switch of one line a case is a table.
            length = sum(1 for line in lines[start - 1 : number] if not re.match(r"\s*(case .*|default):$", line))
            if length > FUNCTION_LINES:
                yield (f"{path}:{start}: a function of {length} lines; "
                       f"at most {FUNCTION_LINES}: it does more than one thing")


def check_header(path, compiler, directories):
    # Included from a file of its own, so that "unused" rules for main files do not apply.
    command = [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c", "-"]
    for directory in directories:
        command[1:1] = ["-isystem" if "llhttp" in directory else "-I", directory]
    result = subprocess.run(command, input=f'#include "{path}"\ntypedef int weir_not_empty;\n', text=True,
                            capture_output=True, cwd=ROOT, check=False)
    if result.returncode:
        yield f"{path}: does not compile alone:\n" + "\n".join("    " + line for line in result.stderr.splitlines()[:8])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cc", default="gcc")
    options.add_argument("-I", dest="include", action="append", default=[])
    options = options.parse_args()
    directories = [ROOT, *options.include, "/usr/share/include/llhttp"]

    breaches, headers = [], []
    for folder, path in sources():
        lines = read(path)
        breaches += check_includes(folder, path, lines)
        breaches += check_lengths(path, lines)
        if path.endswith(".h"):
            headers.append(path)
    for path in test_sources():
        breaches += check_lengths(path, read(path))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda path: list(check_header(path, options.cc, directories)), headers):
            breaches += found
    for breach in breaches:
        print(breach)
    print(f"{len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
