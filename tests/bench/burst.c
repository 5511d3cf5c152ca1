/* What a request costs in burst blocking, in nanoseconds, with ever more clients in the table: the cost must not grow
 * with their number but for the processor's caches. A program of its own: bench_burst [clients, default up to 1000000].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shaper/burst.h"

enum { ROUNDS = 2000000 };

struct bench {
    struct burst_guard *guard;
    struct burst_limits limits;
    struct pattern_scratch *scratch;
    uint32_t host_id;
    uint32_t seed;
    uint64_t refused;
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint32_t next_random(struct bench *bench) {
    bench->seed = bench->seed * 1664525u + 1013904223u;
    return bench->seed >> 4;
}

static void ask(struct bench *bench, uint32_t number, const char *path, int64_t mono_ns) {
    struct burst_request request = {.host_id = bench->host_id, .path = {path, strlen(path)}};
    request.client.family = IP_V4;
    memcpy(request.client.bytes, &number, sizeof number);
    struct burst_verdict verdict;
    struct shaper_time now = {mono_ns, mono_ns / 1000000000};
    bench->refused += burst_request(bench->guard, &bench->limits, &request, bench->scratch, now, &verdict) ? 1 : 0;
}

/* Requests of clients chosen at random, far enough apart in time that nobody is blocked, or so near that all are. */
static double ns_per_request(struct bench *bench, uint32_t clients, int64_t step_ns, int64_t from_ns) {
    int64_t begin = now_ns();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        ask(bench, next_random(bench) % clients, "/index.html", from_ns + i * step_ns);
    }
    return (double)(now_ns() - begin) / ROUNDS;
}

static void measure(uint32_t clients) {
    struct burst_settings settings = {2000000, SIZE_MAX, {{1, 2, 3}}};
    struct bench bench = {.guard = burst_new(&settings), .scratch = pattern_scratch_new(), .seed = 1};
    bench.host_id = burst_host_id(bench.guard, "bench");
    burst_limits_init(&bench.limits);
    bench.limits.enabled = true;
    for (uint32_t number = 0; number < clients; number++) {
        ask(&bench, number, "/index.html", 0);
    }
    double passed = ns_per_request(&bench, clients, INT64_C(100000000), INT64_C(1000000000000));
    uint64_t refused_before = bench.refused;
    double flooded = ns_per_request(&bench, clients, 1, INT64_C(1000000000000000));
    struct burst_counts counts = burst_counts(bench.guard);
    printf("%8u clients, %4llu MB: %6.0f ns a request that passes, %6.0f ns in a flood (%.0f %% refused)\n", clients,
           (unsigned long long)(counts.bytes >> 20), passed, flooded,
           100.0 * (double)(bench.refused - refused_before) / ROUNDS);
    burst_free(&bench.guard);
    pattern_scratch_free(bench.scratch);
}

int main(int count, char **arguments) {
    uint32_t most = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 1000000;
    for (uint32_t clients = 10; clients <= most; clients *= 10) {
        measure(clients);
    }
    return EXIT_SUCCESS;
}
