"""The tutorials' configurations as they stand, scoreboards and all, in front of a real Apache; and after a restart."""
from support.quota import size_of
from support.state import used, wait_used

MODULE = "<IfModule mod_cband.c>\nCBandScoreFlushPeriod 10\nCBandRandomPulse On\n</IfModule>\n"


def site(name, *lines, url):
    text = "\n    ".join(lines)
    return (
        f"<VirtualHost *>\n    ServerName {name}\n    ServerAdmin webmaster@{name}\n    DocumentRoot /var/www/{name}\n"
        f"    ProxyPass / {url}/\n    {text}\n</VirtualHost>\n"
    )


def visit(proxy, *names, times=1):
    """Bytes of the answers to so many requests of each."""
    sent = 0
    for _ in range(times):
        for name in names:
            answer = proxy.get("/1k.txt", host=name)
            assert answer.status == 200, answer
            sent += size_of(answer)
    return sent


def test_a_limit_a_period_and_a_page(weir, apache, directory):
    text = MODULE + site(
        "www.example.com",
        "CBandLimit 300Mi",
        "CBandExceededURL http://www.example.com/bandwidth-exceeded.html",
        f"CBandScoreboard {directory}/www.example.com.scoreboard",
        "CBandPeriod 1D",
        url=apache.url,
    )
    proxy = weir(text)
    sent = visit(proxy, "www.example.com", times=5)
    proxy.stop()
    proxy = weir(text)
    sent += visit(proxy, "www.example.com")
    wait_used(f"{directory}/www.example.com.scoreboard", "www.example.com", sent)


def test_speeds_of_a_host_and_of_each_client(weir, apache, directory):
    text = MODULE + site(
        "www.example.com",
        "CBandSpeed 1024 10 30",
        "CBandRemoteSpeed 20kb/s 3 30",
        f"CBandScoreboard {directory}/www.scoreboard",
        url=apache.url,
    )
    proxy = weir(text)
    sent = visit(proxy, "www.example.com", times=4)
    wait_used(f"{directory}/www.scoreboard", "www.example.com", sent)


def test_a_speed_for_who_has_used_its_limit(weir, apache, directory):
    text = MODULE + site(
        "www.example.com",
        "CBandLimit 1K",
        "CBandExceededSpeed 128 5 15",
        f"CBandScoreboard {directory}/www.scoreboard",
        "CBandPeriod 4W",
        url=apache.url,
    )
    proxy = weir(text + 'CustomLog access.log "%{weir-reason}x"\n')
    visit(proxy, "www.example.com", times=6)
    proxy.wait_for_log(r"(?m)^host-quota$", name="access.log")


def test_two_hosts_of_one_user(weir, apache, directory):
    text = (
        MODULE
        + f"<CBandUser john>\n    CBandUserLimit 10G\n    CBandUserSpeed 1Mbps 50 100\n    CBandUserPeriod 4W\n"
        f"    CBandUserScoreboard {directory}/john.scoreboard\n</CBandUser>\n"
        + site("a.example.com", "CBandUser john", url=apache.url)
        + site("b.example.com", "CBandUser john", url=apache.url)
    )
    proxy = weir(text)
    sent = visit(proxy, "a.example.com", "b.example.com", times=2)
    proxy.stop()
    proxy = weir(text)
    sent += visit(proxy, "b.example.com")
    wait_used(f"{directory}/john.scoreboard", "john", sent, kind="user")


def test_classes_with_speeds_of_their_own(weir, apache, directory):
    text = (
        MODULE + "<CBandClass google>\n    CBandClassDst 66.249.64/24\n    CBandClassDst 66.249.65/24\n</CBandClass>\n"
        "<CBandClass local>\n    CBandClassDst 127/8\n</CBandClass>\n"
        + site(
            "www.example.com",
            "CBandLimit 100M",
            "CBandClassLimit google 20M",
            "CBandClassRemoteSpeed google 20kb/s 2 3",
            "CBandClassRemoteSpeed local 100kb/s 20 30",
            f"CBandScoreboard {directory}/www.scoreboard",
            "CBandPeriod 1W",
            "CBandPeriodSlice 1D",
            url=apache.url,
        )
    )
    proxy = weir(text)
    sent = visit(proxy, "www.example.com", times=5)
    wait_used(f"{directory}/www.scoreboard", "www.example.com", sent)
    assert used(f"{directory}/www.scoreboard", "www.example.com", class_name="local") == sent
