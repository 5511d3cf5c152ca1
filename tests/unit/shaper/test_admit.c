/* shaper_admit(): the order of its checks, what each comes to, and that a refused request leaves nothing behind. */
#include "shaper/request_rate.h"
#include "tests/unit/shaper/given_shaper.h"

static void expect(struct shaper_decision decision, enum shaper_outcome outcome, enum shaper_reason reason) {
    CU_ASSERT_EQUAL(decision.outcome, outcome);
    CU_ASSERT_EQUAL(decision.reason, reason);
    if (decision.outcome != outcome || decision.reason != reason) {
        fprintf(stderr, "got %d %s\n", (int)decision.outcome, shaper_reason_text(decision.reason));
    }
}

static void a_host_without_limits_serves_all(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, "Listen 80\n");
    for (unsigned i = 0; i < 1000; i++) {
        expect(serve(binding, 0, i, 0, 1000000), SHAPER_PASS, SHAPER_REASON_NONE);
    }
    CU_ASSERT_EQUAL(shaper_client_counts(shaper).clients, 0);
    struct quota_state state;
    quota_snapshot(&binding->hosts[0].record->quota, &state, NULL, 0);
    CU_ASSERT_EQUAL(state.used_bytes, 1000000000);
    end(shaper, binding);
}

static void as_many_requests_as_allowed_are_served_at_a_time(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, "Listen 80\nCBandSpeed 0 0 5\nCBandRemoteSpeed 0 0 2\n");
    struct shaper_ticket tickets[5], refused;
    for (unsigned i = 0; i < 4; i++) {
        expect(admit(binding, 0, i / 2, 0, &tickets[i]), SHAPER_PASS, SHAPER_REASON_NONE);
    }
    struct shaper_decision decision = admit(binding, 0, 0, 0, &refused);
    expect(decision, SHAPER_REFUSE, SHAPER_REASON_CLIENT_CONNECTIONS);
    CU_ASSERT_EQUAL(decision.status, 503);
    CU_ASSERT_EQUAL(decision.retry_after_s, 1);
    CU_ASSERT_PTR_NULL(refused.shaper);
    expect(admit(binding, 0, 7, 0, &tickets[4]), SHAPER_PASS, SHAPER_REASON_NONE); /* the refused one is not counted */
    expect(admit(binding, 0, 8, 0, &refused), SHAPER_REFUSE, SHAPER_REASON_HOST_CONNECTIONS);
    for (unsigned i = 0; i < 5; i++) {
        shaper_release(&tickets[i], at_s(1));
        shaper_release(&tickets[i], at_s(1));
    }
    CU_ASSERT_EQUAL(in_flight_now(&binding->hosts[0].record->scope.in_flight), 0);
    CU_ASSERT_EQUAL(in_flight_most(&binding->hosts[0].record->scope.in_flight), 5);
    end(shaper, binding);
}

/* The place is free before the last bytes are written, and taken again when they could not be. */
static void a_place_is_left_before_the_last_bytes(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, "Listen 80\nCBandSpeed 0 0 1\nCBandRemoteSpeed 0 0 1\n");
    struct shaper_ticket one, two, three;
    expect(admit(binding, 0, 1, 0, &one), SHAPER_PASS, SHAPER_REASON_NONE);
    expect(admit(binding, 0, 1, 0, &two), SHAPER_REFUSE, SHAPER_REASON_HOST_CONNECTIONS);
    shaper_leave(&one);
    shaper_leave(&one);
    expect(admit(binding, 0, 1, 0, &two), SHAPER_PASS, SHAPER_REASON_NONE);
    shaper_return_to_place(&one); /* beyond the cap: it is there */
    shaper_leave(&two);
    expect(admit(binding, 0, 1, 0, &three), SHAPER_REFUSE, SHAPER_REASON_HOST_CONNECTIONS);
    shaper_charge(&two, SHAPER_RESPONSE, 1000, at_s(0)); /* still charged */
    shaper_release(&two, at_s(0));
    shaper_release(&one, at_s(0));
    CU_ASSERT_EQUAL(in_flight_now(&binding->hosts[0].record->scope.in_flight), 0);
    expect(admit(binding, 0, 1, 0, &three), SHAPER_PASS, SHAPER_REASON_NONE);
    shaper_release(&three, at_s(0));
    end(shaper, binding);
}

static uint64_t used(const struct quota *quota) {
    return atomic_load(&quota->used_bytes);
}

/* Foreseen, then written in part, whole, or more than was foreseen: every quota has what was written, and from the
 * foresight on what will have been. */
static void last_bytes_count_before_they_are_written(void) {
    static const struct {
        uint64_t foreseen, written, then_written;
    } cases[] = {{600, 600, 0}, {600, 0, 600}, {600, 250, 350}, {600, 700, 0}, {600, 0, 0}, {0, 600, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shaper *shaper = new_shaper();
        struct shaper_binding *binding =
            apply(shaper, "Listen 80\n<CBandClass lan>\nCBandClassDst 10.0.0.0/8\n</CBandClass>\n"
                          "<CBandUser alice>\nCBandUserLimit 1G\nCBandUserClassLimit lan 1G\n</CBandUser>\n"
                          "<VirtualHost *:80>\nServerName a\nCBandUser alice\nCBandLimit 500B\n"
                          "CBandClassLimit lan 1G\nCBandRemoteLimit 1G\n</VirtualHost>\n");
        struct shaper_ticket ticket, next;
        expect(admit(binding, 1, 1, 0, &ticket), SHAPER_PASS, SHAPER_REASON_NONE);
        const struct quota *const quotas[] = {&ticket.host->quota, &ticket.user->quota};
        const atomic_uint_fast64_t *const others[] = {&ticket.host_class->usage.used_bytes,
                                                      &ticket.user_class->usage.used_bytes, &ticket.client->used_bytes};
        uint64_t foreseen = cases[i].foreseen;
        if (foreseen > 0) {
            shaper_foresee(&ticket, foreseen, at_s(0));
        }
        CU_ASSERT_TRUE(used(quotas[0]) == foreseen && used(quotas[1]) == foreseen);
        CU_ASSERT_EQUAL(shaper_awaits_charge(&ticket), foreseen > 0);
        expect(admit(binding, 1, 1, 0, &next), foreseen > 0 ? SHAPER_REFUSE : SHAPER_PASS,
               foreseen > 0 ? SHAPER_REASON_HOST_QUOTA : SHAPER_REASON_NONE);
        shaper_release(&next, at_s(0));
        uint64_t written = cases[i].written;
        shaper_charge(&ticket, SHAPER_RESPONSE, written, at_s(0));
        CU_ASSERT_FALSE(shaper_awaits_charge(&ticket));
        CU_ASSERT_TRUE(used(quotas[0]) == written && used(quotas[1]) == written);
        written += cases[i].then_written;
        shaper_charge(&ticket, SHAPER_RESPONSE, cases[i].then_written, at_s(0));
        CU_ASSERT_TRUE(used(quotas[0]) == written && used(quotas[1]) == written);
        for (size_t j = 0; j < 3; j++) {
            CU_ASSERT_EQUAL(atomic_load(others[j]), written);
        }
        shaper_release(&ticket, at_s(0));
        end(shaper, binding);
    }
}

/* Random comings and goings over two hosts of one user, with a model that counts by hand. */
static void counts_match_a_model(void) {
    enum { TICKETS = 40 };
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding =
        apply(shaper, "Listen 80\n<CBandUser alice>\nCBandUserSpeed 0 0 12\nCBandUserRemoteSpeed 0 0 4\n</CBandUser>\n"
                      "<VirtualHost *:80>\nServerName a\nCBandUser alice\nCBandSpeed 0 0 9\n</VirtualHost>\n"
                      "<VirtualHost *:80>\nServerName b\nCBandUser alice\nCBandRemoteSpeed 0 0 2\n</VirtualHost>\n");
    struct shaper_ticket tickets[TICKETS] = {0};
    unsigned owners[TICKETS] = {0}, of_host[3] = {0}, of_client[3][8] = {{0}};
    static const unsigned host_limits[] = {0, 9, 1000}, client_limits[] = {0, 4, 2};
    uint32_t seed = 41;
    for (unsigned step = 0; step < 50000; step++) {
        unsigned i = next_random(&seed) % TICKETS;
        if (tickets[i].shaper != NULL) {
            shaper_release(&tickets[i], at_s(step));
            of_host[owners[i] / 8]--;
            of_client[owners[i] / 8][owners[i] % 8]--;
            continue;
        }
        unsigned host = 1 + next_random(&seed) % 2, number = next_random(&seed) % 8;
        enum shaper_reason expected = of_host[host] >= host_limits[host] ? SHAPER_REASON_HOST_CONNECTIONS
                                      : of_host[1] + of_host[2] >= 12    ? SHAPER_REASON_USER_CONNECTIONS
                                      : of_client[host][number] >= client_limits[host]
                                          ? SHAPER_REASON_CLIENT_CONNECTIONS
                                          : SHAPER_REASON_NONE;
        struct shaper_decision decision = admit(binding, host, number, step, &tickets[i]);
        CU_ASSERT_EQUAL(decision.reason, expected);
        CU_ASSERT_EQUAL(tickets[i].shaper != NULL, expected == SHAPER_REASON_NONE);
        if (tickets[i].shaper != NULL) {
            owners[i] = host * 8 + number;
            of_host[host]++;
            of_client[host][number]++;
        }
    }
    for (unsigned i = 0; i < TICKETS; i++) {
        shaper_release(&tickets[i], at_s(50000));
    }
    end(shaper, binding);
}

static void requests_over_the_rate_wait_then_are_refused(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding =
        apply(shaper, "Listen 80\nCBandMaxDelay 2\nCBandSpeed 0 100 0\nCBandRemoteSpeed 0 10 0\n");
    for (unsigned i = 0; i < 10; i++) {
        expect(serve(binding, 0, 1, 0, 0), SHAPER_PASS, SHAPER_REASON_NONE);
    }
    for (unsigned i = 1; i <= 20; i++) {
        struct shaper_decision decision = serve(binding, 0, 1, 0, 0);
        expect(decision, SHAPER_DELAY, SHAPER_REASON_CLIENT_RATE);
        CU_ASSERT_DOUBLE_EQUAL((double)decision.delay_ns, i * 1e8, 1e3);
    }
    for (unsigned i = 0; i < 500; i++) {
        struct shaper_decision decision = serve(binding, 0, 1, 0, 0);
        expect(decision, SHAPER_REFUSE, SHAPER_REASON_CLIENT_RATE);
        CU_ASSERT_EQUAL(decision.retry_after_s, 3);
        CU_ASSERT_EQUAL(decision.delay_ns, 0);
    }
    for (unsigned i = 30; i < 100; i++) { /* refused ones have taken nothing from the host's rate */
        expect(serve(binding, 0, 100 + i, 0, 0), SHAPER_PASS, SHAPER_REASON_NONE);
    }
    expect(serve(binding, 0, 99, 0, 0), SHAPER_DELAY, SHAPER_REASON_HOST_RATE);
    end(shaper, binding);
}

static const char *const two_hosts = "Listen 80\n"
                                     "<CBandClass lan>\nCBandClassDst 10.0.1.0/24\n</CBandClass>\n"
                                     "<CBandUser alice>\n%s</CBandUser>\n%s\n"
                                     "<VirtualHost *:80>\nServerName a\nCBandUser alice\n%s</VirtualHost>\n"
                                     "<VirtualHost *:80>\nServerName b\nCBandUser alice\n</VirtualHost>\n";

static struct shaper_binding *apply_two_hosts(struct shaper *shaper, const char *user, const char *server,
                                              const char *host) {
    char text[2000];
    snprintf(text, sizeof text, two_hosts, user, server, host);
    return apply(shaper, text);
}

static void what_comes_of_an_exceeded_quota(void) {
    static const struct {
        const char *server, *host;
        enum shaper_outcome outcome;
        const char *url;
        unsigned status;
        bool slowed;
    } rows[] = {
        {"", "", SHAPER_REFUSE, NULL, 503, false},
        {"CBandDefaultExceededCode 509", "", SHAPER_REFUSE, NULL, 509, false},
        {"CBandDefaultExceededURL http://x/over\nCBandDefaultExceededCode 509", "", SHAPER_REDIRECT, "http://x/over", 0,
         false},
        {"CBandDefaultExceededURL http://x/over", "CBandExceededSpeed 0 0 3\n", SHAPER_PASS, NULL, 0, true},
        {"CBandDefaultExceededURL http://x/over", "CBandExceededURL http://x/own\nCBandExceededSpeed 8 1 1\n",
         SHAPER_REDIRECT, "http://x/own", 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct shaper *shaper = new_shaper();
        char host[300];
        snprintf(host, sizeof host, "CBandLimit 100K\nCBandPeriod 1H\n%s", rows[i].host);
        struct shaper_binding *binding = apply_two_hosts(shaper, "", rows[i].server, host);
        expect(serve(binding, 1, 1, 0, 100000), SHAPER_PASS, SHAPER_REASON_NONE);
        expect(serve(binding, 1, 1, 1, 1), SHAPER_PASS, SHAPER_REASON_NONE); /* at the limit is not over it */
        struct shaper_ticket ticket;
        struct shaper_decision decision = admit(binding, 1, 1, 100, &ticket);
        expect(decision, rows[i].outcome, SHAPER_REASON_HOST_QUOTA);
        CU_ASSERT_EQUAL(decision.slowed, rows[i].slowed);
        CU_ASSERT_EQUAL(decision.status, rows[i].status);
        CU_ASSERT_EQUAL(decision.retry_after_s, rows[i].outcome == SHAPER_PASS ? 0 : 3500);
        CU_ASSERT_TRUE(rows[i].url == NULL ? decision.url == NULL : strcmp(decision.url, rows[i].url) == 0);
        shaper_release(&ticket, at_s(100));
        expect(serve(binding, 2, 1, 100, 1), SHAPER_PASS, SHAPER_REASON_NONE);
        expect(serve(binding, 1, 1, 3600, 1), SHAPER_PASS, SHAPER_REASON_NONE);
        CU_ASSERT_EQUAL(in_flight_now(&binding->hosts[1].record->scope.in_flight), 0);
        end(shaper, binding);
    }
}

/* Served at the exceeded rps and connections, not at the normal ones. */
static void the_exceeded_speed_has_its_own_rate_and_count(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply_two_hosts(
        shaper, "", "", "CBandLimit 1K\nCBandPeriod 1H\nCBandSpeed 0 100 100\nCBandExceededSpeed 8 2 3\n");
    serve(binding, 1, 1, 0, 1001);
    struct shaper_ticket tickets[3], refused;
    for (unsigned i = 0; i < 3; i++) {
        struct shaper_decision decision = admit(binding, 1, i, 10, &tickets[i]);
        CU_ASSERT_TRUE(decision.slowed);
        CU_ASSERT_EQUAL(decision.outcome, i < 2 ? SHAPER_PASS : SHAPER_DELAY);
    }
    expect(admit(binding, 1, 9, 10, &refused), SHAPER_REFUSE, SHAPER_REASON_HOST_CONNECTIONS);
    for (unsigned i = 0; i < 3; i++) {
        shaper_release(&tickets[i], at_s(10));
    }
    end(shaper, binding);
}

/* With a page and a speed the page has it: a request that is sent there is not counted against the exceeded speed. */
static void a_redirect_is_judged_by_the_normal_speed(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding =
        apply_two_hosts(shaper, "", "", "CBandLimit 1K\nCBandExceededURL /over.html\nCBandExceededSpeed 8 1 1\n");
    struct shaper_ticket under_way, refused;
    admit(binding, 1, 1, 0, &under_way);
    shaper_charge(&under_way, SHAPER_RESPONSE, 1001, at_s(0));
    for (unsigned i = 0; i < 30; i++) {
        expect(admit(binding, 1, 1, 0, &refused), SHAPER_REDIRECT, SHAPER_REASON_HOST_QUOTA);
    }
    shaper_release(&under_way, at_s(0));
    end(shaper, binding);
}

static void a_class_over_its_quota_concerns_that_class_only(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding =
        apply_two_hosts(shaper, "CBandUserClassLimit lan 5K\nCBandUserExceededURL http://x/user\n", "",
                        "CBandClassLimit lan 2K\nCBandExceededSpeed 100 0 1\n");
    enum { LAN = 256 };
    serve(binding, 1, LAN, 0, 2001);
    struct shaper_decision decision = serve(binding, 1, LAN, 0, 0);
    expect(decision, SHAPER_PASS, SHAPER_REASON_HOST_CLASS_QUOTA);
    CU_ASSERT_TRUE(decision.slowed);
    struct shaper_ticket slow, fast, refused;
    admit(binding, 1, LAN, 0, &slow);
    expect(admit(binding, 1, LAN, 0, &refused), SHAPER_REFUSE, SHAPER_REASON_HOST_CLASS_CONNECTIONS);
    expect(admit(binding, 1, 1, 0, &fast), SHAPER_PASS, SHAPER_REASON_NONE);
    shaper_release(&slow, at_s(0));
    shaper_release(&fast, at_s(0));
    serve(binding, 2, LAN, 0, 3000); /* the other host of the same user */
    decision = serve(binding, 1, LAN, 0, 0);
    expect(decision, SHAPER_REDIRECT, SHAPER_REASON_USER_CLASS_QUOTA); /* the user's redirect beats the host's speed */
    CU_ASSERT_FALSE(decision.slowed);
    CU_ASSERT_EQUAL(decision.retry_after_s, 0); /* no period: never */
    expect(serve(binding, 2, 1, 0, 0), SHAPER_PASS, SHAPER_REASON_NONE);
    end(shaper, binding);
}

static void a_client_over_its_quota_concerns_that_client_only(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding =
        apply_two_hosts(shaper, "", "", "CBandRemoteLimit 1K\nCBandPeriod 100\nCBandPeriodSlice 50\n");
    serve(binding, 1, 1, 0, 501);
    expect(serve(binding, 1, 1, 10, 0), SHAPER_REFUSE, SHAPER_REASON_CLIENT_QUOTA);
    expect(serve(binding, 1, 2, 10, 0), SHAPER_PASS, SHAPER_REASON_NONE);
    expect(serve(binding, 2, 1, 10, 0), SHAPER_PASS, SHAPER_REASON_NONE);
    expect(serve(binding, 1, 1, 50, 0), SHAPER_PASS, SHAPER_REASON_NONE);
    expect(serve(binding, 1, 1, 51, 500), SHAPER_PASS, SHAPER_REASON_NONE);
    expect(serve(binding, 1, 1, 52, 0), SHAPER_REFUSE, SHAPER_REASON_CLIENT_QUOTA);
    expect(serve(binding, 1, 1, 100, 0), SHAPER_PASS, SHAPER_REASON_NONE);
    end(shaper, binding);
}

static struct shaper_decision visit(struct shaper_binding *binding, size_t host, unsigned number,
                                    struct shaper_visitor *visitor, struct client_record **record) {
    struct shaper_request request = {.host = host, .client = client(number), .path = span_of("/"), .visitor = visitor};
    struct shaper_ticket ticket;
    struct shaper_decision decision;
    shaper_admit(binding, &request, at_s(0), &ticket, &decision);
    *record = ticket.client;
    shaper_release(&ticket, at_s(0));
    return decision;
}

/* What a connection keeps is the record that a look-up would have found, and only while there is much room. */
static void a_connection_keeps_its_clients_record(void) {
    struct shaper_settings settings = {.clients = {4, SIZE_MAX}, .hash_key = {{1}}};
    struct shaper *shaper = shaper_new(&settings);
    struct shaper_binding *binding = apply_two_hosts(shaper, "", "", "CBandRemoteSpeed 0 1 0\n");
    struct shaper_visitor visitor = {0};
    struct client_record *first, *again, *other;
    expect(visit(binding, 1, 1, &visitor, &first), SHAPER_PASS, SHAPER_REASON_NONE);
    CU_ASSERT_PTR_EQUAL(visitor.client, first);
    expect(visit(binding, 1, 1, &visitor, &again), SHAPER_DELAY, SHAPER_REASON_CLIENT_RATE);
    CU_ASSERT_PTR_EQUAL(again, first);
    expect(visit(binding, 1, 2, &visitor, &other), SHAPER_PASS, SHAPER_REASON_NONE); /* by RemoteIPHeader, say */
    CU_ASSERT_PTR_EQUAL(visitor.client, other);
    CU_ASSERT_PTR_NOT_EQUAL(other, first);
    expect(visit(binding, 1, 3, &visitor, &other), SHAPER_PASS, SHAPER_REASON_NONE);
    CU_ASSERT_PTR_NULL(visitor.client); /* three of four */
    for (unsigned number = 4; number < 20; number++) {
        expect(visit(binding, 1, number, &visitor, &other), SHAPER_PASS, SHAPER_REASON_NONE);
        CU_ASSERT_PTR_NOT_NULL(other);
    }
    CU_ASSERT_EQUAL(shaper_client_counts(shaper).no_room, 0);
    shaper_forget_visitor(&visitor, at_s(0));
    end(shaper, binding);
}

static void the_host_comes_before_the_user(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding =
        apply_two_hosts(shaper, "CBandUserLimit 1K\nCBandUserExceededURL http://x/user.html?q=1\n", "",
                        "CBandLimit 1K\nCBandExceededURL /host.html\nCBandSpeed 0 10 10\n");
    serve(binding, 1, 1, 0, 1001);
    for (unsigned i = 0; i < 50; i++) { /* and redirects do not use up the rate */
        struct shaper_decision decision = serve(binding, 1, 1, 0, 0);
        expect(decision, SHAPER_REDIRECT, SHAPER_REASON_HOST_QUOTA);
        CU_ASSERT_STRING_EQUAL(decision.url, "/host.html");
    }
    expect(serve(binding, 2, 1, 0, 0), SHAPER_REDIRECT, SHAPER_REASON_USER_QUOTA);
    static const char *const pages[] = {"/host.html", "/user.html"};
    for (size_t i = 0; i < 2; i++) { /* neither page sends anybody on to the other */
        struct shaper_ticket ticket;
        expect(admit_path(binding, 1, client(1), pages[i], 0, &ticket), SHAPER_PASS, SHAPER_REASON_NONE);
        shaper_release(&ticket, at_s(0));
    }
    end(shaper, binding);
}

static void a_dry_run_decides_and_serves(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding =
        apply_two_hosts(shaper, "", "", "CBandDryRun On\nCBandSpeed 8 0 1\nCBandLimit 1K\n");
    struct shaper_ticket first, second;
    expect(admit(binding, 1, 1, 0, &first), SHAPER_PASS, SHAPER_REASON_NONE);
    struct shaper_decision decision = admit(binding, 1, 1, 0, &second);
    expect(decision, SHAPER_REFUSE, SHAPER_REASON_HOST_CONNECTIONS);
    CU_ASSERT_TRUE(decision.dry_run);
    struct shaper_grant grant = shaper_reserve(&second, binding, SHAPER_RESPONSE, 1000000, at_s(0));
    CU_ASSERT_EQUAL(grant.bytes, 1000000);
    CU_ASSERT_EQUAL(grant.at_ns, at_s(0).mono_ns);
    CU_ASSERT_FALSE(grant.is_capped);
    shaper_charge(&second, SHAPER_RESPONSE, 1000000, at_s(0));
    shaper_release(&second, at_s(0));
    shaper_release(&first, at_s(0));
    expect(admit(binding, 1, 1, 0, &first), SHAPER_REFUSE, SHAPER_REASON_HOST_QUOTA);
    shaper_release(&first, at_s(0));
    CU_ASSERT_EQUAL(in_flight_now(&binding->hosts[1].record->scope.in_flight), 0);
    end(shaper, binding);
}

static void ipv6_clients_are_counted_by_prefix(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, "Listen 80\nCBandIPv6Prefix 56\nCBandRemoteSpeed 0 0 1\n");
    struct ip_address one = {.family = IP_V6, .bytes = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1}}, near = one, far = one;
    near.bytes[7] = 2;
    far.bytes[6] = 2;
    struct shaper_ticket first, second, third;
    expect(admit_path(binding, 0, one, "/", 0, &first), SHAPER_PASS, SHAPER_REASON_NONE);
    expect(admit_path(binding, 0, near, "/", 0, &second), SHAPER_REFUSE, SHAPER_REASON_CLIENT_CONNECTIONS);
    expect(admit_path(binding, 0, far, "/", 0, &third), SHAPER_PASS, SHAPER_REASON_NONE);
    shaper_release(&first, at_s(0));
    shaper_release(&third, at_s(0));
    end(shaper, binding);
}

static void every_reason_has_a_text_of_its_own(void) {
    for (int i = 0; i < SHAPER_REASONS; i++) {
        for (int j = 0; j < i; j++) {
            CU_ASSERT_STRING_NOT_EQUAL(shaper_reason_text((enum shaper_reason)i),
                                       shaper_reason_text((enum shaper_reason)j));
            CU_ASSERT_STRING_NOT_EQUAL(shaper_reason_meaning((enum shaper_reason)i),
                                       shaper_reason_meaning((enum shaper_reason)j));
        }
    }
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(a_host_without_limits_serves_all),
                                        TEST(as_many_requests_as_allowed_are_served_at_a_time),
                                        TEST(a_place_is_left_before_the_last_bytes),
                                        TEST(last_bytes_count_before_they_are_written),
                                        TEST(counts_match_a_model),
                                        TEST(requests_over_the_rate_wait_then_are_refused),
                                        TEST(what_comes_of_an_exceeded_quota),
                                        TEST(the_exceeded_speed_has_its_own_rate_and_count),
                                        TEST(a_redirect_is_judged_by_the_normal_speed),
                                        TEST(a_class_over_its_quota_concerns_that_class_only),
                                        TEST(a_client_over_its_quota_concerns_that_client_only),
                                        TEST(a_connection_keeps_its_clients_record),
                                        TEST(the_host_comes_before_the_user),
                                        TEST(a_dry_run_decides_and_serves),
                                        TEST(ipv6_clients_are_counted_by_prefix),
                                        TEST(every_reason_has_a_text_of_its_own),
                                        CU_TEST_INFO_NULL};
    return run_suite("admit", tests);
}
