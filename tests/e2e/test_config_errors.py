"""The command line and the configuration's messages: what an operator reads before anything is served."""
import re

import pytest
from support.weir import ROOT

GOOD = "Listen 127.0.0.1:8080\nProxyPass / http://127.0.0.1:8081/\n"


def errors_of(result):
    """(line, column, first line's text) of each error of a run."""
    pattern = re.compile(r"^proxy\.conf:(\d+):(\d+): error: (.*)$", re.M)
    return [(int(line), int(column), text) for line, column, text in pattern.findall(result.stderr)]


# --- the form of a message ---


def test_an_error_has_place_line_mark_and_advice(weir_command):
    result = weir_command("-t", config=GOOD + "<VirtualHost *:8080>\n  TimeOut soon\n</VirtualHost>\n")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("proxy.conf:4:"))
    assert lines[start].startswith('proxy.conf:4:11: error: TimeOut: "soon" is not ')
    assert lines[start + 1].startswith("    ") and lines[start + 1].strip() == "TimeOut soon"
    assert lines[start + 2] == " " * lines[start + 1].index("soon") + "^~~~"
    assert lines[start + 3].strip() and not lines[start + 3].startswith(" ")  # what to write instead


def test_the_example_of_the_specification(weir_command):
    config = GOOD + "<VirtualHost *:8080>\nServerName a.example\n\n\n\n\n\n\n\nCBandSpeed 10kps 10 30\n</VirtualHost>\n"
    lines = weir_command("-t", config=config).stderr.splitlines()
    start = lines.index('proxy.conf:12:12: error: CBandSpeed: "10kps" is not a speed')
    assert lines[start + 1] == "    CBandSpeed 10kps 10 30"
    assert lines[start + 2] == "               ^~~~~"
    assert lines[start + 3].startswith("write a number and kbps, Mbps, Gbps (bits) or kb/s, Mb/s, Gb/s (bytes)")
    assert '"10kbps"' in lines[start + 3]


@pytest.mark.parametrize(
    "lines, place, subject",
    [
        ("CBandClassLimit crawlers 10M", (5, 17), "CBandClassLimit"),
        ("CBandClassRemoteSpeed \\\n  crawlers 10 1 1", (6, 3), "CBandClassRemoteSpeed"),
        ("CBandUser alice", (5, 11), "CBandUser"),
        ("</VirtualHost>\n<CBandUser bob>\n</CBandUser>\n<CBandUser bob>\n</CBandUser>\n<VirtualHost *:8080>", (8, 12), "CBandUser"),
    ],
)
def test_what_only_the_whole_file_shows_has_its_word_marked_too(weir_command, lines, place, subject):
    """Names that nothing defines, and what is defined twice: known when the last line was read, reported like the rest."""
    config = GOOD + f"<VirtualHost *:8080>\nServerName a.example\n{lines}\n</VirtualHost>\n"
    result = weir_command("-t", config=config)
    assert [(line, column) for line, column, _ in errors_of(result)] == [place], result.stderr
    assert errors_of(result)[0][2].startswith(subject + ": ")
    assert re.search(r"\n    .*\n +\^~*\n", result.stderr), result.stderr


@pytest.mark.parametrize(
    "config",
    [
        "Listen 80800\n",
        GOOD + "<CBandClass lan>\nCBandClassDst 10.0.0.0/33\n</CBandClass>\n",
        "Listen 127.0.0.1:8443 https\n<VirtualHost *:8443>\nSSLEngine On\nSSLCertificateFile none.pem\n</VirtualHost>\n",
    ],
)
def test_a_mistake_is_said_once(weir_command, config):
    """And not again as what it leads to: no Listen line, a class without addresses, a host without certificate."""
    result = weir_command("-t", config=config)
    assert len(re.findall(r"^proxy\.conf:.*(?:error|warning): ", result.stderr, re.M)) == 1, result.stderr


def test_a_misspelt_name_is_guessed(weir_command):
    result = weir_command("-t", config=GOOD + "KeepAliveTimout 5\n")
    assert errors_of(result)[0][:2] == (3, 1)
    assert 'did you mean "KeepAliveTimeout"?' in result.stderr


def test_a_name_unlike_any_is_not_guessed(weir_command):
    result = weir_command("-t", config=GOOD + "Xyzzyplugh 5\n")
    assert result.returncode == 1
    assert "did you mean" not in result.stderr


def test_all_errors_are_reported_in_one_run(weir_command):
    config = (
        GOOD + "TimeOut never\nNoSuchThing 1\nKeepAlive Perhaps\nServerName outside.example\n"
        "<VirtualHost *:8080>\nListen 80\nProxyPass / ftp://x/\n</VirtualHost>\n"
    )
    result = weir_command("-t", config=config)
    assert result.returncode == 1
    assert [line for line, _, _ in errors_of(result)][:3] == [3, 4, 5]
    assert {8, 9} <= {line for line, _, _ in errors_of(result)}


def test_a_directive_in_the_wrong_context(weir_command):
    result = weir_command("-t", config=GOOD + "<Location /a>\nListen 80\n</Location>\n")
    assert [(line, column) for line, column, _ in errors_of(result)] == [(4, 1)]
    assert "Listen" in errors_of(result)[0][2]


def test_an_unclosed_section(weir_command):
    result = weir_command("-t", config=GOOD + "<VirtualHost *:8080>\nServerName a.example\n")
    assert result.returncode == 1
    assert any(line == 3 and "VirtualHost" in text for line, _, text in errors_of(result)), result.stderr


def test_a_section_closed_by_another(weir_command):
    result = weir_command("-t", config=GOOD + "<VirtualHost *:8080>\n<Location /a>\n</VirtualHost>\n")
    assert result.returncode == 1
    assert errors_of(result), result.stderr


def test_a_continued_line_is_counted_where_the_word_stands(weir_command):
    result = weir_command("-t", config=GOOD + "TimeOut \\\n   soon\n")
    assert errors_of(result)[0][:2] == (4, 4)
    assert re.search(r"\n( +)soon\n\1\^~~~\n", result.stderr), result.stderr


def test_an_error_in_an_included_file_names_that_file(weir_command):
    result = weir_command("-t", config=GOOD + "Include parts/*.conf\n")
    assert result.returncode == 1  # a glob without a match is an error for Include
    result = weir_command("-t", config=GOOD + "Include more.conf\n", files={"more.conf": "\nTimeOut soon\n"})
    assert result.returncode == 1
    assert "more.conf:2:9: error: TimeOut" in result.stderr


def test_an_include_that_includes_itself_ends(weir_command):
    result = weir_command("-t", config=GOOD + "Include proxy.conf\n")
    assert result.returncode == 1
    assert "proxy.conf:3:" in result.stderr


def test_include_optional_without_a_match_is_no_error(weir_command):
    assert weir_command("-t", config=GOOD + "IncludeOptional none/*.conf\n").returncode == 0


def test_no_file(weir_command):
    result = weir_command("-t", "-c", "missing.conf")
    assert result.returncode == 1
    assert "missing.conf" in result.stderr


def test_an_empty_file_needs_listen(weir_command):
    result = weir_command("-t", config="")
    assert result.returncode == 1
    assert "Listen" in result.stderr


@pytest.mark.parametrize(
    "text",
    [
        b"Listen \x00 80\n",
        b"\xff\xfe\xfd\n",
        b"<" * 10000,
        b"Listen " + b"1" * 100000,
        b'"' * 999,
        b"Define a ${a}\nListen ${a}${a}\n",
        b"\\\n" * 5000,
    ],
    ids=["nul", "bytes", "brackets", "long", "quotes", "define", "continued"],
)
def test_nonsense_is_refused_with_a_message(weir_command, text):
    result = weir_command("-t", config=text)
    assert result.returncode == 1
    assert "proxy.conf" in result.stderr


# --- what is accepted ---


def test_a_good_file(weir_command):
    result = weir_command("-t", config=GOOD)
    assert result.returncode == 0, result.stderr
    assert "error" not in result.stderr


def test_names_in_any_case(weir_command):
    config = "lIsTeN 127.0.0.1:8080\n<virtualhost *:8080>\nSERVERNAME a.example\nproxypass / http://127.0.0.1:1/\n</VIRTUALHOST>\n"
    assert weir_command("-t", config=config).returncode == 0


def test_defines(weir_command):
    config = "<IfDefine PORT>\nNoSuchThing\n</IfDefine>\nDefine P 8080\nListen 127.0.0.1:${P}\nProxyPass / http://${TARGET}/\n"
    assert weir_command("-t", config=config, env={"TARGET": "127.0.0.1:8081"}).returncode == 0
    assert weir_command("-t", "-D", "PORT", config=config, env={"TARGET": "127.0.0.1:8081"}).returncode == 1


APACHE_ONLY = "DocumentRoot /var/www\nDirectoryIndex index.html\n<Directory />\n  Options None\n  AllowOverride All\n</Directory>\nLoadModule a_module a.so\n"


def test_what_only_apache_needs_is_warned_about(weir_command):
    result = weir_command("-t", config=GOOD + APACHE_ONLY)
    assert result.returncode == 0, result.stderr
    for line, name in ((3, "DocumentRoot"), (4, "DirectoryIndex"), (5, "Directory"), (9, "LoadModule")):
        assert re.search(rf"proxy\.conf:{line}:\d+: warning: <?{name}", result.stderr), result.stderr
    assert "no effect" in result.stderr


def test_handlers_of_apache(weir_command):
    """As Debian's status.conf has one: the path is the origin's like any other, under the same rules."""
    lines = "<Location /server-status>\nSetHandler {}\nRequire local\n</Location>\n"
    for name in ("server-status", "Server-Info", "application/x-httpd-php", '"proxy:unix:/run/php/php8.2-fpm.sock|fcgi://x"'):
        result = weir_command("-t", config=GOOD + lines.format(name))
        assert result.returncode == 0, result.stderr
        assert f"proxy.conf:4:12: warning: SetHandler: \"{name.strip(chr(34))}\" has no effect in a proxy" in result.stderr
    result = weir_command("-t", config=GOOD + lines.format("cband-statuss"))
    assert result.returncode == 1 and 'did you mean "cband-status"?' in result.stderr


def test_modules_of_apache(weir_command):
    """Lines of modules that only the origin can have, and those among them that must not be passed over."""
    lines = "VirtualDocumentRoot /var/www/%0\nSessionMaxAge 60\nLDAPCacheTTL 60\nDavLockDB /x\nAllowEncodedSlashes On\nMDomain a.example\n"
    result = weir_command("-t", config=GOOD + lines)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("has no effect in a proxy") == 6
    for line in ("MDRequireHttps permanent", "SSLOCSPEnable on", "Port 80"):
        assert weir_command("-t", config=GOOD + line + "\n").returncode == 1


@pytest.mark.parametrize(
    "line, folder",
    [
        ("DOSLogDir logs/evasive", "logs/evasive"),
        ("CBandScoreboard logs/apache2/www.scoreboard", "logs/apache2"),
        ("<CBandUser alice>\nCBandUserScoreboard logs/alice\n</CBandUser>", "logs"),
    ],
)
def test_folders_without_which_weir_serves_all_the_same(weir_command, line, folder):
    """The modules told of it when the first client was blocked, or never."""
    result = weir_command("-t", config=GOOD + line + "\n")
    assert result.returncode == 0, result.stderr
    name = line.splitlines()[-2 if ">" in line else 0].split()[0]
    assert re.search(rf'^proxy\.conf:\d:\d+: warning: {name}: there is no folder ".*/{folder}": ', result.stderr, re.M), result.stderr


def test_strict_makes_them_errors(weir_command):
    result = weir_command("-t", "--strict", config=GOOD + APACHE_ONLY)
    assert result.returncode == 1
    assert re.search(r"proxy\.conf:3:\d+: error: DocumentRoot", result.stderr), result.stderr


# --- the other switches ---


def test_list_of_directives(weir_command):
    result = weir_command("-L")
    assert result.returncode == 0
    for name in ("Listen", "ProxyPass", "CBandSpeed", "DOSPageCount", "SSLEngine", "<VirtualHost", "RequestReadTimeout"):
        assert name in result.stdout


def test_hosts_as_understood(weir_command):
    config = (
        "Listen 127.0.0.1:8080\n"
        "<VirtualHost *:8080>\nServerName first.example\nServerAlias www.first.example *.first.example\n"
        "ProxyPass / http://127.0.0.1:1/\n</VirtualHost>\n"
        "<VirtualHost *:8080>\nServerName second.example\nProxyPass / http://127.0.0.1:2/\n</VirtualHost>\n"
    )
    result = weir_command("-S", config=config)
    assert result.returncode == 0, result.stderr
    assert result.stdout.index("first.example") < result.stdout.index("second.example")
    assert "proxy.conf:2" in result.stdout


def test_the_dumped_configuration_is_one(weir_command):
    result = weir_command("--dump-config", config=GOOD + "KeepAliveTimeout 7\n")
    assert result.returncode == 0, result.stderr
    assert re.search(r"(?m)^\s*KeepAliveTimeout\s+7", result.stdout)
    again = weir_command("--dump-config", config=result.stdout)
    assert again.returncode == 0, again.stderr
    strip = lambda text: [line.split("#")[0].rstrip() for line in text.splitlines() if line.split("#")[0].strip()]
    assert strip(again.stdout) == strip(result.stdout)


@pytest.mark.parametrize("switch", ["-v", "--version"])
def test_version_names_the_libraries(weir_command, switch):
    result = weir_command(switch)
    assert result.returncode == 0
    assert re.search(r"weir[ /]\d+\.\d+\.\d+", result.stdout)
    for library in ("libev", "llhttp", "pcre2"):
        assert library in result.stdout.lower()


def test_help(weir_command):
    result = weir_command("--help")
    assert result.returncode == 0
    for switch in ("-c", "-t", "-S", "-D", "-L", "-v", "-d", "--strict", "--dump-config"):
        assert switch in result.stdout


def test_an_unknown_switch(weir_command):
    result = weir_command("--frobnicate")
    assert result.returncode not in (0, -6, -11)
    assert "frobnicate" in result.stderr


def test_the_sample_is_good(weir_command):
    result = weir_command("-t", "-c", f"{ROOT}/proxy.conf.sample")
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr


def test_a_bad_file_is_not_started(weir_command):
    result = weir_command(config=GOOD + "TimeOut soon\n")
    assert result.returncode == 1
    assert "proxy.conf:3:9: error: TimeOut" in result.stderr
