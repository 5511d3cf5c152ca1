"""The proxies with TLS in front: the same certificate (ECDSA, P-256), one version of TLS, one cipher where it is said.

The certificate and its key lie beside the proxies' folders, in ../both.pem as each of them sees it.
"""
import os
import ssl
import subprocess

import proxies


class Weir(proxies.Weir):
    version_of_tls, cipher = "TLSv1.3", None

    def configuration(self, port, origin_port, directory):
        plain = super().configuration(port, origin_port, directory)
        text = f"SSLEngine On\nSSLCertificateFile {directory}/../both.pem\nSSLProtocol {self.version_of_tls}\n"
        text += f"SSLCipherSuite {self.cipher}\n" if self.cipher else ""
        return plain.replace(f":{port}\n", f":{port} https\n") + text


class Nginx(proxies.Nginx):
    version_of_tls, cipher, sessions = "TLSv1.3", None, ""

    def configuration(self, port, origin_port, directory):
        plain = super().configuration(port, origin_port, directory)
        text = f"ssl_certificate {directory}/../both.pem; ssl_certificate_key {directory}/../both.pem;\n"
        text += f"ssl_protocols {self.version_of_tls}; {self.sessions}\n"
        text += f"ssl_ciphers {self.cipher};\n" if self.cipher else ""
        return plain.replace(f":{port} backlog", f":{port} ssl backlog").replace("location / {", f"{text}location / {{")


class Haproxy(proxies.Haproxy):
    version_of_tls, cipher = "TLSv1.3", None

    def configuration(self, port, origin_port, directory):
        plain = super().configuration(port, origin_port, directory)
        text = f"ssl crt {directory}/../both.pem ssl-min-ver {self.version_of_tls} ssl-max-ver {self.version_of_tls}"
        text += f" ciphers {self.cipher}" if self.cipher else ""
        return plain.replace(f":{port} backlog", f":{port} {text} backlog")


ALL = {proxy.name.lower(): proxy for proxy in (Weir(), Nginx(), Haproxy())}


def make_certificate(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
         f"{directory}/key.pem", "-out", f"{directory}/certificate.pem", "-days", "30", "-subj", "/CN=localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    with open(f"{directory}/both.pem", "w", encoding="ascii") as both:
        for name in ("key", "certificate"):
            with open(f"{directory}/{name}.pem", encoding="ascii") as file:
                both.write(file.read())
    os.chmod(f"{directory}/both.pem", 0o644)


def client_context(least=ssl.TLSVersion.TLSv1_3):
    """Of a client that believes every certificate, and offers no version below that: a server keeps what it was offered."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = least
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
