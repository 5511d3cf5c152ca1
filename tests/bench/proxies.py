"""The proxies that are compared: each writes its configuration and says how it is started in the foreground.

All do the same: listen on 127.0.0.1, one worker (or `workers`), no access log, keep-alive without end on both sides, X-Forwarded-For
added, and everything sent on to one origin.
"""
import os
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONNECTIONS = 12000  # that each must be able to hold
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Proxy:
    name = package = None
    version_argument = "-v"
    workers = 1

    def binary(self):
        return shutil.which(self.package, path=PATH)

    def version(self):
        """The first line that it says of itself."""
        result = subprocess.run([self.binary(), self.version_argument], capture_output=True, text=True, check=False)
        return (result.stdout + result.stderr).strip().splitlines()[0]

    def configuration(self, port, origin_port, directory):
        raise NotImplementedError

    def command(self, path, directory):
        raise NotImplementedError


class Weir(Proxy):
    name = "weir"

    def binary(self):
        return os.path.abspath(os.environ.get("WEIR_BIN", f"{ROOT}/build/weir"))

    def configuration(self, port, origin_port, directory):
        return f"""\
Listen 127.0.0.1:{port}
Workers {self.workers}
MaxConnections {CONNECTIONS}
ErrorLog {directory}/error.log
KeepAliveTimeout 600
MaxKeepAliveRequests 0
ProxyPass / http://127.0.0.1:{origin_port}/
"""

    def command(self, path, directory):
        return [self.binary(), "-c", path]


class Nginx(Proxy):
    name = "nginx"
    package = "nginx"
    buffers = "proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_busy_buffers_size 128k;"

    def configuration(self, port, origin_port, directory):
        return f"""\
worker_processes {self.workers};
daemon off;
user root;
pid {directory}/pid;
error_log {directory}/error.log crit;
worker_rlimit_nofile {4 * CONNECTIONS};
events {{ worker_connections {CONNECTIONS + 1000}; }}
http {{
    access_log off;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream origin {{
        server 127.0.0.1:{origin_port};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_max_temp_file_size 0;
            {self.buffers}
        }}
    }}
}}
"""

    def command(self, path, directory):
        return [self.binary(), "-c", path, "-p", directory, "-e", f"{directory}/error.log"]


class Haproxy(Proxy):
    name = "HAProxy"
    package = "haproxy"
    tuning, options = "", ""  # more lines of global and of defaults

    def configuration(self, port, origin_port, directory):
        return f"""\
global
    nbthread {self.workers}
    maxconn {CONNECTIONS}
    no strict-limits
    {self.tuning}
defaults
    mode http
    option forwardfor
    option http-keep-alive
    http-reuse always
    timeout connect 10s
    timeout client 600s
    timeout server 600s
    timeout http-keep-alive 600s
    {self.options}
frontend front
    bind 127.0.0.1:{port} backlog 4096
    default_backend back
backend back
    server origin 127.0.0.1:{origin_port} pool-max-conn 256
"""

    def command(self, path, directory):
        return [self.binary(), "-db", "-q", "-f", path]


ALL = {proxy.name.lower(): proxy for proxy in (Weir(), Nginx(), Haproxy())}
