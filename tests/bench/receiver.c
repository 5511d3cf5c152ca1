/* The clients of tests/bench/shaping: many connections that each ask for one long body, and a record of when its bytes
 * come. As little work as can be: what comes is thrown away in the kernel. Compiled by shaping at each run; a program
 * of its own, with one thread.
 *
 *     receiver PORT CONNECTIONS ADDRESSES SETTLE_MS DURATION_MS PROBE_MS STOP_MS
 *
 * Connections come from 127.0.1.1, 127.0.1.2 …: of A addresses the second has twice as many as the first, the third
 * three times, and so on, as far as they go round. What comes within SETTLE_MS is not counted. PROBE_MS (0: never):
 * every so often a new connection asks for a page of 1 KiB, and the time until it is there is noted. STOP_MS (0:
 * never): so long after counting began every second connection is closed.
 *
 * Prints JSON: "bins": bytes in each 100 ms; "connections": bytes of each; "addresses": of each, the number of its
 * address; "gaps": the longest time in ms that each was without a byte; "rates": bytes/s of each address, from the
 * first to the last that came, so that a turn more or less at the ends does not count; "probes": ms. Always true: a
 * connection has at most one request under way. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BIN_MS = 100, EVENTS = 512, READ_BYTES = 1 << 20, PROBE_BYTES = 1024, PROBES_MAX = 4096, ADDRESSES_MAX = 254 };
static const int64_t ms_ns = 1000000;

struct connection {
    int descriptor;
    bool is_probe;
    unsigned address;
    int64_t begun_ns, last_ns, gap_ns;
    uint64_t bytes, all_bytes;
};

static struct {
    uint16_t port;
    int loop;
    int64_t start_ns, end_ns, now_ns;
    uint64_t *bins;
    size_t bin_count;
    struct flow { /* of one address */
        int64_t first_ns, last_ns;
        uint64_t between;
    } flows[ADDRESSES_MAX];
    double probes_ms[PROBES_MAX];
    size_t probe_count;
} run;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void open_connection(struct connection *connection, const char *request) {
    connection->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101u + connection->address)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(run.port)};
    int on = 1;
    setsockopt(connection->descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(connection->descriptor, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(connection->descriptor, (struct sockaddr *)&to, sizeof to) != 0 ||
        send(connection->descriptor, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request)) {
        die("connect");
    }
    connection->begun_ns = now_ns();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(run.loop, EPOLL_CTL_ADD, connection->descriptor, &event);
}

static void close_connection(struct connection *connection) {
    if (connection->descriptor >= 0) {
        close(connection->descriptor);
        connection->descriptor = -1;
    }
}

static void count(struct connection *connection, size_t bytes) {
    connection->all_bytes += bytes;
    if (run.now_ns < run.start_ns || run.now_ns >= run.end_ns) {
        return;
    }
    size_t bin = (size_t)((run.now_ns - run.start_ns) / (BIN_MS * ms_ns));
    run.bins[bin < run.bin_count ? bin : run.bin_count - 1] += bytes;
    int64_t since_ns = connection->last_ns > run.start_ns ? connection->last_ns : run.start_ns;
    connection->gap_ns = run.now_ns - since_ns > connection->gap_ns ? run.now_ns - since_ns : connection->gap_ns;
    connection->last_ns = run.now_ns;
    connection->bytes += bytes;
    struct flow *flow = &run.flows[connection->address];
    if (flow->first_ns == 0) {
        flow->first_ns = run.now_ns;
    } else {
        flow->between += bytes;
    }
    flow->last_ns = run.now_ns;
}

static void take(struct connection *connection) {
    /* A probe's bytes are looked at no more than the others': its page is there when so many have come. */
    ssize_t got = recv(connection->descriptor, NULL, READ_BYTES, MSG_TRUNC | MSG_DONTWAIT);
    run.now_ns = now_ns();
    if (got > 0) {
        count(connection, (size_t)got);
    } else if (got == 0 || errno != EAGAIN) {
        if (!connection->is_probe) {
            fprintf(stderr, "a connection ended after %llu bytes\n", (unsigned long long)connection->all_bytes);
            exit(1);
        }
    }
    if (connection->is_probe && connection->all_bytes > PROBE_BYTES) {
        if (run.probe_count < PROBES_MAX && run.now_ns >= run.start_ns) {
            run.probes_ms[run.probe_count++] = (double)(run.now_ns - connection->begun_ns) / 1e6;
        }
        close_connection(connection);
        free(connection);
    }
}

static void probe(unsigned address) {
    char request[64];
    snprintf(request, sizeof request, "GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n", PROBE_BYTES);
    struct connection *connection = calloc(1, sizeof *connection);
    connection->is_probe = true;
    connection->address = address;
    open_connection(connection, request);
}

/* 0, 1, 1, 2, 2, 2 …, from the beginning again after the last address. */
static unsigned address_of(unsigned number, unsigned addresses) {
    number %= addresses * (addresses + 1) / 2;
    unsigned address = 0;
    while (number > address) {
        number -= ++address;
    }
    return address;
}

static void print_numbers(const char *name, const struct connection *connections, size_t count, int which) {
    printf("\"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        double value = which == 0   ? (double)connections[i].bytes
                       : which == 1 ? connections[i].address
                                    : (double)connections[i].gap_ns / 1e6;
        printf("%s%.17g", i > 0 ? ", " : "", value);
    }
    puts("],");
}

static void print(struct connection *connections, size_t count, unsigned addresses) {
    for (size_t i = 0; i < count; i++) {
        int64_t since_ns = connections[i].last_ns > run.start_ns ? connections[i].last_ns : run.start_ns;
        int64_t gap_ns = run.end_ns - since_ns;
        connections[i].gap_ns = gap_ns > connections[i].gap_ns ? gap_ns : connections[i].gap_ns;
    }
    puts("{");
    print_numbers("connections", connections, count, 0);
    print_numbers("addresses", connections, count, 1);
    print_numbers("gaps", connections, count, 2);
    printf("\"bins\": [");
    for (size_t i = 0; i < run.bin_count; i++) {
        printf("%s%llu", i > 0 ? ", " : "", (unsigned long long)run.bins[i]);
    }
    printf("],\n\"probes\": [");
    for (size_t i = 0; i < run.probe_count; i++) {
        printf("%s%.3f", i > 0 ? ", " : "", run.probes_ms[i]);
    }
    printf("],\n\"rates\": [");
    for (unsigned i = 0; i < addresses; i++) {
        int64_t span_ns = run.flows[i].last_ns - run.flows[i].first_ns;
        printf("%s%.17g", i > 0 ? ", " : "", span_ns > 0 ? (double)run.flows[i].between * 1e9 / (double)span_ns : 0);
    }
    printf("]\n}\n");
}

int main(int argc, char **argv) {
    if (argc != 8) {
        fprintf(stderr, "usage: see the beginning of receiver.c\n");
        return 2;
    }
    run.port = (uint16_t)atoi(argv[1]);
    size_t count = (size_t)atol(argv[2]);
    unsigned addresses = (unsigned)atoi(argv[3]);
    if (addresses < 1 || addresses > ADDRESSES_MAX) {
        return 2;
    }
    int64_t settle_ns = atoll(argv[4]) * ms_ns, duration_ns = atoll(argv[5]) * ms_ns;
    int64_t probe_ns = atoll(argv[6]) * ms_ns, stop_ns = atoll(argv[7]) * ms_ns;
    run.loop = epoll_create1(EPOLL_CLOEXEC);
    run.bin_count = (size_t)(duration_ns / (BIN_MS * ms_ns));
    run.bins = calloc(run.bin_count + 1, sizeof *run.bins);
    run.start_ns = run.end_ns = INT64_MAX;
    struct connection *connections = calloc(count, sizeof *connections);
    for (size_t i = 0; i < count; i++) {
        connections[i].address = address_of((unsigned)i, addresses);
        open_connection(&connections[i], "GET /4611686018427387904 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    run.now_ns = now_ns();
    run.start_ns = run.now_ns + settle_ns;
    run.end_ns = run.start_ns + duration_ns;
    fprintf(stderr, "%lld\n", (long long)run.start_ns); /* for whoever does something at a moment */
    int64_t next_probe_ns = probe_ns > 0 ? run.start_ns : INT64_MAX;
    int64_t stop_at_ns = stop_ns > 0 ? run.start_ns + stop_ns : INT64_MAX;
    unsigned probes = 0;
    struct epoll_event events[EVENTS];
    while (run.now_ns < run.end_ns) {
        int ready = epoll_wait(run.loop, events, EVENTS, 1);
        for (int i = 0; i < ready; i++) {
            take(events[i].data.ptr);
        }
        run.now_ns = now_ns();
        if (run.now_ns >= next_probe_ns && run.now_ns < run.end_ns) {
            next_probe_ns += probe_ns;
            probe(probes++ % addresses);
        }
        if (run.now_ns >= stop_at_ns) {
            stop_at_ns = INT64_MAX;
            for (size_t i = 0; i < count; i += 2) {
                close_connection(&connections[i]);
            }
        }
    }
    print(connections, count, addresses);
    return 0;
}
