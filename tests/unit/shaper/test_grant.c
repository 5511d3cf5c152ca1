/* shaper_reserve() and its companions in simulation: rates, fairness, gaps, idle connections, first bytes, changes. */
#include "tests/unit/shaper/given_senders.h"

static struct shaper *shaper;
static struct simulation sim;

static void begin(const char *text, double bytes_per_s) {
    shaper = new_shaper();
    sim = (struct simulation){.binding = apply(shaper, text), .rate = bytes_per_s, .seed = 5};
}

static void begin_with_cap(const char *speed) {
    char text[100];
    snprintf(text, sizeof text, "Listen 80\nCBandSpeed %s 0 0\n", speed);
    begin(text, 1);
    sim.rate = (double)sim.binding->hosts[0].limits->traffic.speed.bits_per_s / 8;
}

static void finish(void) {
    for (size_t i = 0; i < sim.count; i++) {
        sim_stop(&sim, i);
    }
    const struct traffic_scope *scope = &sim.binding->hosts[0].record->scope;
    CU_ASSERT_EQUAL(atomic_load(&scope->lane.holders), 0);
    CU_ASSERT_EQUAL(in_flight_now(&scope->in_flight), 0);
    end(shaper, sim.binding);
}

static const char *const speeds[] = {"8kB/s", "20kB/s", "64kB/s", "100kB/s", "1MB/s", "10MB/s", "1Gbps"};
enum { SPEEDS = sizeof speeds / sizeof speeds[0] };

/* The square of the coefficient of variation of the 100 ms bins. */
static double variation(double from_s, double to_s) {
    double mean = sim_rate(&sim, from_s, to_s) / 10, squares = 0;
    size_t from = (size_t)(from_s * 10 + 0.5), to = (size_t)(to_s * 10 + 0.5);
    for (size_t bin = from; bin < to; bin++) {
        squares += ((double)sim.bins[bin] - mean) * ((double)sim.bins[bin] - mean);
    }
    return squares / (double)(to - from) / (mean * mean);
}

/* In no window more than the rate and a burst, the first bytes and a piece at its edge. */
static bool never_exceeds_the_cap(size_t bins) {
    for (size_t from = 0; from < bins; from += 3) {
        uint64_t sent = 0;
        for (size_t to = from; to < bins && to < from + 60; to++) {
            sent += sim.bins[to];
            double allowed = sim.rate * ((double)(to - from + 1) / 10 + 0.1 + 0.25) + 65536;
            if ((double)sent > allowed) {
                return false;
            }
        }
    }
    return true;
}

static void equal_connections_share_a_cap_evenly(void) {
    static const size_t counts[] = {1, 10, 100};
    for (size_t i = 0; i < SPEEDS * 3; i++) {
        size_t count = counts[i % 3];
        begin_with_cap(speeds[i / 3]);
        double rounds = (double)count * 2896 / sim.rate, end_s = 20;
        end_s = end_s < 20 * rounds ? 20 * rounds : end_s;
        end_s = (double)(int64_t)(end_s < 400 * 2896 / sim.rate ? 400 * 2896 / sim.rate : end_s);
        for (unsigned j = 0; j < count; j++) {
            sim_start(&sim, 0, j % 7);
        }
        sim_run(&sim, end_s);
        double mean = sim_rate(&sim, 0, end_s), worst_wait = 0;
        for (size_t j = 0; j < count; j++) {
            worst_wait = sim.senders[j].worst_wait > worst_wait ? sim.senders[j].worst_wait : worst_wait;
        }
        bool is_smooth = sim.rate < 200000 || variation(2, end_s) <= 0.1 * 0.1;
        if (mean < 0.99 * sim.rate || mean > 1.01 * sim.rate || sim_fairness(&sim) < 0.99 || worst_wait > 1 ||
            !is_smooth) {
            printf(
                "\n%s, %zu connections: %+.2f %% of the rate, fairness %.4f, worst wait %.2f, squared variation %.4f\n",
                speeds[i / 3], count, 100 * (mean / sim.rate - 1), sim_fairness(&sim), worst_wait, variation(2, end_s));
        }
        CU_ASSERT_DOUBLE_EQUAL(mean, sim.rate, sim.rate * 0.01);
        CU_ASSERT_TRUE(sim_fairness(&sim) >= 0.99);
        CU_ASSERT_TRUE(worst_wait <= 1);
        CU_ASSERT_TRUE(is_smooth);
        CU_ASSERT_TRUE(never_exceeds_the_cap((size_t)end_s * 10));
        finish();
    }
}

static void an_idle_connection_takes_no_share(void) {
    begin_with_cap("1MB/s");
    struct shaper_ticket idle[20];
    for (unsigned i = 0; i < 20; i++) {
        admit(sim.binding, 0, i, 0, &idle[i]);
        if (i % 2 == 0) { /* half of them have once had a turn, and gave it back */
            shaper_reserve(&idle[i], sim.binding, SHAPER_RESPONSE, 4096, at_s(0));
            shaper_return(&idle[i], SHAPER_RESPONSE);
        }
    }
    sim_start(&sim, 0, 1);
    sim_start(&sim, 0, 2);
    sim_run(&sim, 20);
    CU_ASSERT_DOUBLE_EQUAL(sim_rate(&sim, 0, 20), sim.rate, sim.rate * 0.01);
    CU_ASSERT_TRUE(sim_fairness(&sim) >= 0.99);
    for (unsigned i = 0; i < 20; i++) {
        shaper_release(&idle[i], at_s(20));
    }
    finish();
}

/* New connections that take the head and leave, a thousand a second for 5 s: who comes then waits, but not for them
 * all.
 */
static void heads_alone_do_not_shut_others_out(void) {
    begin_with_cap("20kB/s");
    for (unsigned i = 0; i < 5000; i++) {
        struct shaper_ticket ticket;
        double now_s = (double)i / 1000;
        admit(sim.binding, 0, i, now_s, &ticket);
        shaper_charge(&ticket, SHAPER_RESPONSE, 300, at_s(now_s));
        shaper_reserve(&ticket, sim.binding, SHAPER_RESPONSE, 10000, at_s(now_s));
        shaper_charge(&ticket, SHAPER_RESPONSE, 0, at_s(now_s));
        shaper_release(&ticket, at_s(now_s));
    }
    struct shaper_ticket ticket;
    admit(sim.binding, 0, 6000, 5, &ticket);
    struct shaper_grant grant = shaper_reserve(&ticket, sim.binding, SHAPER_RESPONSE, 1000, at_s(5));
    CU_ASSERT_TRUE(grant.at_ns > at_s(9).mono_ns && grant.at_ns < at_s(10.2).mono_ns);
    shaper_release(&ticket, at_s(5));
    finish();
}

/* Nine of ten stop with a turn outstanding; the last has the whole cap within 100 ms. */
static void who_stops_leaves_its_share(void) {
    for (size_t i = 3; i < SPEEDS; i++) {
        begin_with_cap(speeds[i]);
        for (unsigned j = 0; j < 10; j++) {
            sim_start(&sim, 0, j);
        }
        sim_run(&sim, 10);
        for (size_t j = 1; j < 10; j++) {
            sim_stop(&sim, j);
        }
        sim_run(&sim, 12);
        double piece = 2896 + 2.0 * (double)sim.senders[0].last_bytes;
        CU_ASSERT_DOUBLE_EQUAL(sim_rate(&sim, 10.1, 10.5), sim.rate, sim.rate * 0.02 + piece / 0.4);
        CU_ASSERT_DOUBLE_EQUAL(sim_rate(&sim, 10.1, 12), sim.rate, sim.rate * 0.01 + piece / 1.9);
        finish();
    }
}

static void a_small_page_does_not_wait_behind_the_bulk(void) {
    for (size_t i = 2; i < SPEEDS; i++) {
        begin_with_cap(speeds[i]);
        for (unsigned j = 0; j < 50; j++) {
            sim_start(&sim, 0, j);
        }
        for (unsigned second = 30; second < 40; second++) {
            sim_run(&sim, second);
            struct shaper_ticket page;
            admit(sim.binding, 0, 99, second, &page);
            struct shaper_time now = at_s(second);
            struct shaper_grant grant = shaper_reserve(&page, sim.binding, SHAPER_RESPONSE, 1024, now);
            CU_ASSERT_EQUAL(grant.bytes, 1024);
            CU_ASSERT_TRUE(grant.at_ns <= now.mono_ns + SECOND_NS / 20);
            shaper_charge(&page, SHAPER_RESPONSE, 1024, now);
            shaper_release(&page, now);
        }
        finish();
    }
}

/* A client that fetches 10 kB pages one after the other gets no more than its cap. */
static void many_small_pages_are_held_to_the_cap(void) {
    begin("Listen 80\nCBandRemoteSpeed 100kB/s 0 0\n", 102400);
    double now = 0;
    uint64_t sent = 0;
    while (now < 60) {
        struct shaper_ticket page;
        admit(sim.binding, 0, 1, now, &page);
        for (uint64_t left = 10000; left > 0;) {
            struct shaper_grant grant = shaper_reserve(&page, sim.binding, SHAPER_RESPONSE, left, at_s(now));
            now = grant.at_ns > at_s(now).mono_ns ? (double)grant.at_ns / 1e9 - 1000 + 1e-6 : now;
            shaper_charge(&page, SHAPER_RESPONSE, grant.bytes, at_s(now));
            left -= grant.bytes;
        }
        shaper_release(&page, at_s(now));
        sent += 10000;
        now += 1e-4;
    }
    CU_ASSERT_DOUBLE_EQUAL((double)sent / now, 102400, 1024 + 20000.0 / 60);
    finish();
}

static void the_smallest_share_holds(void) {
    begin("Listen 80\n<CBandClass lan>\nCBandClassDst 10.0.1.0/24\n</CBandClass>\n"
          "<CBandUser alice>\nCBandUserSpeed 1MB/s 0 0\n</CBandUser>\n"
          "<VirtualHost *:80>\nServerName a\nCBandUser alice\nCBandRemoteSpeed 50kB/s 0 0\n"
          "CBandClassRemoteSpeed lan 200kB/s 0 0\n</VirtualHost>\n"
          "<VirtualHost *:80>\nServerName b\nCBandUser alice\nCBandSpeed 300kB/s 0 0\n</VirtualHost>\n",
          1048576);
    for (unsigned i = 0; i < 10; i++) {
        sim_start(&sim, 1, 1); /* one client with ten connections */
    }
    sim_start(&sim, 1, 2);   /* one with one: as much as the ten together */
    sim_start(&sim, 1, 256); /* one of the class */
    for (unsigned i = 0; i < 4; i++) {
        sim_start(&sim, 2, i); /* the user's other host */
    }
    sim_run(&sim, 60);
    double sent[4] = {0};
    for (size_t i = 0; i < sim.count; i++) {
        sent[i < 10 ? 0 : i - 9 < 3 ? i - 9 : 3] += (double)sim.senders[i].sent_bytes / 60 / 1024;
    }
    CU_ASSERT_DOUBLE_EQUAL(sent[0], 50, 1);
    CU_ASSERT_DOUBLE_EQUAL(sent[1], 50, 1);
    CU_ASSERT_DOUBLE_EQUAL(sent[2], 200, 3);
    CU_ASSERT_DOUBLE_EQUAL(sent[3], 300, 4);
    finish();
}

/* Each turn wakes a worker: a long response has about ten a second, and the kernel is told how to spread them. It
 * begins with short ones, for nobody knows yet how many others begin. */
static void a_long_response_has_few_turns(void) {
    begin_with_cap("1MB/s");
    struct shaper_ticket ticket;
    admit(sim.binding, 0, 1, 0, &ticket);
    uint64_t now_ns = 0, turns = 0, late_turns = 0, last_bytes = 0;
    while (now_ns < 10 * (uint64_t)SECOND_NS) {
        struct shaper_time now = at_s((double)now_ns / 1e9);
        struct shaper_grant grant = shaper_reserve(&ticket, sim.binding, SHAPER_RESPONSE, 1 << 20, now);
        if (grant.at_ns > now.mono_ns) {
            now_ns += (uint64_t)(grant.at_ns - now.mono_ns) + 1000;
            continue;
        }
        if (now_ns >= (uint64_t)SECOND_NS) {
            CU_ASSERT_DOUBLE_EQUAL((double)grant.turns_bytes_per_s, 1048576, 1048);
        }
        CU_ASSERT_TRUE(grant.bytes <= 16384 || grant.bytes <= 3 * last_bytes); /* after the first bytes */
        last_bytes = grant.bytes;
        shaper_charge(&ticket, SHAPER_RESPONSE, grant.bytes, now);
        turns++;
        late_turns += now_ns >= (uint64_t)SECOND_NS ? 1 : 0;
    }
    CU_ASSERT_TRUE(turns <= late_turns + 20);
    CU_ASSERT_TRUE(late_turns >= 89 && late_turns <= 91);
    CU_ASSERT_EQUAL(last_bytes, 104857);
    shaper_release(&ticket, at_s(10));
    finish();
}

/* Slow to fast and back, with transfers under way that wait for seconds. */
static void a_changed_limit_holds_within_100_ms(void) {
    static const struct {
        const char *speed;
        double from_s, to_s;
    } rows[] = {{"8kB/s", 0, 20}, {"1MB/s", 20, 30}, {"100kB/s", 30, 50}};
    begin_with_cap("8kB/s");
    for (unsigned j = 0; j < 10; j++) {
        sim_start(&sim, 0, j);
    }
    for (size_t i = 0; i < 3; i++) {
        char text[100];
        snprintf(text, sizeof text, "Listen 80\nCBandSpeed %s 0 0\n", rows[i].speed);
        shaper_binding_unref(&sim.binding);
        sim.binding = apply(shaper, text);
        sim.rate = (double)sim.binding->hosts[0].limits->traffic.speed.bits_per_s / 8;
        sim_run(&sim, rows[i].to_s);
        double held = sim_rate(&sim, rows[i].from_s + (i > 0 ? 0.2 : 0), rows[i].to_s);
        CU_ASSERT_DOUBLE_EQUAL(held, sim.rate, sim.rate * 0.02 + 2 * 2896 / (rows[i].to_s - rows[i].from_s));
        double soon = sim_rate(&sim, rows[i].from_s + 0.2, rows[i].from_s + 0.7); /* a bin after the 100 ms */
        CU_ASSERT_DOUBLE_EQUAL(soon, sim.rate, sim.rate * 0.05 + 2 * 2896 / 0.5);
    }
    finish();
}

/* The quota is crossed in the middle of a transfer: from there on the exceeded speed, and the normal one again when the
 * next period begins. */
static void a_transfer_goes_on_at_the_exceeded_speed(void) {
    begin("Listen 80\nCBandLimit 10M\nCBandPeriod 30\nCBandExceededSpeed 40kB/s 0 0\n", 40960);
    sim_start(&sim, 0, 1);
    sim_start(&sim, 0, 2);
    sim_run(&sim, 0.1);
    CU_ASSERT_TRUE(sim_rate(&sim, 0, 0.1) / 10 < 10000000 + 3 * 65536);
    sim_run(&sim, 30);
    CU_ASSERT_DOUBLE_EQUAL(sim_rate(&sim, 1, 30), 40960, 400);
    sim_run(&sim, 30.5);
    CU_ASSERT_TRUE(sim_rate(&sim, 30, 30.5) / 2 > 10000000);
    finish();
}

static void a_client_over_its_quota_goes_on_at_the_exceeded_speed(void) {
    begin("Listen 80\nCBandRemoteLimit 1M\nCBandRemoteSpeed 400kB/s 0 0\nCBandExceededSpeed 50kB/s 0 0\n", 409600);
    sim_start(&sim, 0, 1);
    sim_run(&sim, 10);
    CU_ASSERT_DOUBLE_EQUAL(sim_rate(&sim, 0.5, 2), 409600, 409600 * 0.03);
    CU_ASSERT_DOUBLE_EQUAL(sim_rate(&sim, 4, 10), 51200, 512 * 3);
    sim_start(&sim, 0, 2); /* another client has a quota of its own */
    sim_run(&sim, 12);
    CU_ASSERT_DOUBLE_EQUAL((double)sim.senders[1].sent_bytes, 819200, 819200 * 0.06);
    finish();
}

/* Some hundred turns of three tickets used in part, given back, and overrun, in any order. Returns what was sent. */
static uint64_t use_turns_at_random(double now_s, uint32_t *seed) {
    struct shaper_ticket tickets[3];
    uint64_t sent = 0, turns[3] = {0};
    for (unsigned i = 0; i < 3; i++) {
        admit(sim.binding, 0, i, now_s, &tickets[i]);
    }
    for (unsigned step = 0; step < 400; step++) {
        unsigned i = next_random(seed) % 3, what = next_random(seed) % 8;
        if (what < 4) {
            uint64_t wanted = 1 + next_random(seed) % 20000;
            struct shaper_grant grant = shaper_reserve(&tickets[i], sim.binding, SHAPER_RESPONSE, wanted, at_s(now_s));
            CU_ASSERT_TRUE(grant.bytes >= 1 && grant.bytes <= wanted);
            CU_ASSERT_TRUE(turns[i] == 0 || grant.bytes == (turns[i] < wanted ? turns[i] : wanted));
            turns[i] = turns[i] > 0 ? turns[i] : grant.bytes;
        } else if (what < 7) {
            uint64_t bytes = next_random(seed) % (turns[i] + (what == 4 ? 500 : 1));
            shaper_charge(&tickets[i], SHAPER_RESPONSE, bytes, at_s(now_s));
            turns[i] -= bytes < turns[i] ? bytes : turns[i];
            sent += bytes;
        } else {
            shaper_return(&tickets[i], SHAPER_RESPONSE);
            turns[i] = 0;
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        shaper_release(&tickets[i], at_s(now_s));
    }
    return sent;
}

/* What is owed in the end is what was sent, as long as that is less than the 5 s which overruns may add. */
static void what_was_sent_is_what_is_owed(void) {
    begin_with_cap("1MB/s");
    const struct lane *lane = &sim.binding->hosts[0].record->scope.lane;
    uint32_t seed = 17;
    for (unsigned round = 0; round < 50; round++) {
        double now_s = round * 100.; /* nothing is owed any more */
        double sent = (double)use_turns_at_random(now_s, &seed);
        CU_ASSERT_TRUE(sent < 5 * sim.rate);
        CU_ASSERT_DOUBLE_EQUAL((double)pacer_debt_ns(&lane->pacer, at_s(now_s).mono_ns),
                               sent / sim.rate * 1e9 - (double)LANE_BURST_NS, 1e5);
    }
    finish();
}

static double owed_bytes(const struct lane *lane) {
    int64_t from = (at_s(0).mono_ns - LANE_BURST_NS) * PACER_PARTS_PER_NS,
            until = atomic_load(&lane->pacer.promised_until);
    return until > from ? (double)(until - from) / PACER_PARTS_PER_NS / 1e9 * sim.rate : 0;
}

/* Nobody waits for it, and what has not gone at once is held as any turn is. */
static void a_small_response_is_owed_when_it_has_gone(void) {
    begin_with_cap("10MB/s");
    const struct lane *lane = &sim.binding->hosts[0].record->scope.lane;
    serve(sim.binding, 0, 1, 0, 100); /* the lane knows its rate from its first use on */
    static const struct {
        uint64_t moved[2]; /* of 4000 that were asked for; the head comes on top */
        bool asks_again, returns;
        double owed, then_held;
    } cases[] = {
        {{4200, 0}, false, false, 4200, 0},    {{1500, 2700}, false, false, 4200, 2500},
        {{0, 4200}, false, false, 4200, 4000}, {{0, 4200}, true, false, 4200, 4000},
        {{1500, 0}, true, true, 1500, 2500},   {{0, 0}, false, true, 0, 4000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shaper_ticket ticket;
        double before = owed_bytes(lane);
        admit(sim.binding, 0, 1, 0, &ticket);
        struct shaper_grant grant = shaper_reserve(&ticket, sim.binding, SHAPER_RESPONSE, 4000, at_s(0));
        CU_ASSERT_TRUE(grant.bytes == 4000 && grant.at_ns == at_s(0).mono_ns && shaper_awaits_charge(&ticket));
        CU_ASSERT_DOUBLE_EQUAL(owed_bytes(lane), before, 0.1);
        shaper_charge(&ticket, SHAPER_RESPONSE, cases[i].moved[0], at_s(0));
        CU_ASSERT_FALSE(shaper_awaits_charge(&ticket));
        double now_owed = (double)cases[i].moved[0] + cases[i].then_held;
        CU_ASSERT_DOUBLE_EQUAL(owed_bytes(lane) - before, now_owed, 0.1);
        CU_ASSERT_EQUAL(atomic_load(&lane->holders), cases[i].then_held > 0 ? 1 : 0);
        if (cases[i].asks_again) {
            grant = shaper_reserve(&ticket, sim.binding, SHAPER_RESPONSE, 4000, at_s(0));
            CU_ASSERT_TRUE((double)grant.bytes == cases[i].then_held && grant.is_capped);
            CU_ASSERT_DOUBLE_EQUAL(owed_bytes(lane) - before, now_owed, 0.1);
        }
        if (cases[i].returns) {
            shaper_return(&ticket, SHAPER_RESPONSE);
        } else if (cases[i].moved[1] > 0) {
            shaper_charge(&ticket, SHAPER_RESPONSE, cases[i].moved[1], at_s(0));
        }
        CU_ASSERT_DOUBLE_EQUAL(owed_bytes(lane) - before, cases[i].owed, 0.1);
        CU_ASSERT_EQUAL(atomic_load(&lane->holders), 0);
        shaper_release(&ticket, at_s(0));
    }
    finish();
}

/* Asked again before anything was charged, it is held from then on; given up, nothing is owed. */
static void a_small_response_that_waits_is_held(void) {
    begin_with_cap("10MB/s");
    const struct lane *lane = &sim.binding->hosts[0].record->scope.lane;
    serve(sim.binding, 0, 1, 0, 100);
    for (unsigned times = 1; times <= 3; times++) {
        struct shaper_ticket ticket;
        double before = owed_bytes(lane);
        bool is_held = times > 1, goes = times > 2;
        admit(sim.binding, 0, 1, 0, &ticket);
        for (unsigned i = 0; i < times; i++) {
            struct shaper_grant grant = shaper_reserve(&ticket, sim.binding, SHAPER_RESPONSE, 4000, at_s(0));
            CU_ASSERT_TRUE(grant.bytes == 4000 && grant.at_ns == at_s(0).mono_ns && grant.is_capped == (i > 0));
        }
        CU_ASSERT_DOUBLE_EQUAL(owed_bytes(lane) - before, is_held ? 4000 : 0, 0.1);
        CU_ASSERT_EQUAL(atomic_load(&lane->holders), is_held ? 1 : 0);
        if (goes) {
            shaper_charge(&ticket, SHAPER_RESPONSE, 4000, at_s(0));
        }
        shaper_release(&ticket, at_s(0));
        CU_ASSERT_DOUBLE_EQUAL(owed_bytes(lane) - before, goes ? 4000 : 0, 0.1);
        CU_ASSERT_EQUAL(atomic_load(&lane->holders), 0);
    }
    finish();
}

static void request_bodies_have_a_speed_of_their_own(void) {
    begin("Listen 80\nCBandUploadSpeed 100kB/s\n", 102400);
    struct shaper_ticket ticket;
    admit(sim.binding, 0, 1, 0, &ticket);
    CU_ASSERT_FALSE(shaper_reserve(&ticket, sim.binding, SHAPER_RESPONSE, 1 << 20, at_s(0)).is_capped);
    double now = 0;
    uint64_t read = 0;
    while (now < 30) {
        struct shaper_grant grant = shaper_reserve(&ticket, sim.binding, SHAPER_REQUEST_BODY, 65536, at_s(now));
        CU_ASSERT_TRUE(grant.is_capped);
        now = grant.at_ns > at_s(now).mono_ns ? (double)grant.at_ns / 1e9 - 1000 + 1e-6 : now;
        shaper_charge(&ticket, SHAPER_REQUEST_BODY, grant.bytes, at_s(now));
        read += grant.bytes;
    }
    CU_ASSERT_DOUBLE_EQUAL((double)read / now, 102400, 1024);
    shaper_release(&ticket, at_s(now));
    struct quota_state state;
    quota_snapshot(&sim.binding->hosts[0].record->quota, &state, NULL, 0);
    CU_ASSERT_EQUAL(state.used_bytes, 0); /* only what is sent to clients counts */
    finish();
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(equal_connections_share_a_cap_evenly),
                                        TEST(an_idle_connection_takes_no_share),
                                        TEST(heads_alone_do_not_shut_others_out),
                                        TEST(who_stops_leaves_its_share),
                                        TEST(a_small_page_does_not_wait_behind_the_bulk),
                                        TEST(many_small_pages_are_held_to_the_cap),
                                        TEST(the_smallest_share_holds),
                                        TEST(a_long_response_has_few_turns),
                                        TEST(a_changed_limit_holds_within_100_ms),
                                        TEST(a_transfer_goes_on_at_the_exceeded_speed),
                                        TEST(a_client_over_its_quota_goes_on_at_the_exceeded_speed),
                                        TEST(what_was_sent_is_what_is_owed),
                                        TEST(a_small_response_is_owed_when_it_has_gone),
                                        TEST(a_small_response_that_waits_is_held),
                                        TEST(request_bodies_have_a_speed_of_their_own),
                                        CU_TEST_INFO_NULL};
    return run_suite("grant", tests);
}
