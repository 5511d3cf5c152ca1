"""State databases: reading them beside a running weir, as an administrator would."""
import os
import re
import signal
import sqlite3
import struct
import subprocess

from support.wait import wait_for


def query(path, sql, *parameters):
    """Rows, read by SQLite in this process; [] while there is no such file or table, or it is damaged."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    except sqlite3.OperationalError:
        return []
    try:
        return connection.execute(sql, parameters).fetchall()
    except sqlite3.DatabaseError:
        return []
    finally:
        connection.close()


def shell(path, sql):
    """The output of the sqlite3 command."""
    return subprocess.run(["sqlite3", path, sql], capture_output=True, text=True, timeout=20, check=True).stdout.strip()


def used(path, name, kind="host", class_name=""):
    """Bytes of the period in the database; 0 when there is no row."""
    rows = query(path, "SELECT used_bytes FROM quota WHERE kind = ? AND name = ? AND class = ?", kind, name, class_name)
    return rows[0][0] if rows else 0


def wait_used(path, name, expected, deadline=5, **which):
    wait_for(lambda: used(path, name, **which) == expected, deadline, f"{name} to have used {expected}")


def history(path, kind, name):
    """Bytes out, bytes in and requests of all hours."""
    rows = query(
        path, "SELECT sum(bytes_out), sum(bytes_in), sum(requests) FROM usage_history WHERE kind = ? AND name = ?", kind, name
    )
    return rows[0] if rows and rows[0][0] is not None else (0, 0, 0)


def scoreboard(total, start, classes=(0, 0, 0)):
    """A scoreboard file of mod_cband 0.9.7.5 on a 64-bit machine with three classes."""
    return struct.pack("=QQQQQqi4x", total, *classes, start, 0, 1)


def kill(proxy):
    """kill -9, and waits for the end."""
    proxy.send_signal(signal.SIGKILL)
    proxy.wait()


def set_aside(directory, name):
    """The names of files that were set aside as corrupt."""
    return sorted(f for f in os.listdir(directory) if re.fullmatch(re.escape(name) + r"\.corrupt-\d{8}-\d{6}(-\d+)?", f))
