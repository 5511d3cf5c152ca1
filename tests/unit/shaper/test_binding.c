/* shaper_apply(): what survives a reload, what changes with it, and eight workers while it happens. */
#include "tests/unit/shaper/given_shaper.h"

static void reload(struct shaper *shaper, struct shaper_binding **binding, const char *text) {
    shaper_binding_unref(binding);
    *binding = apply(shaper, text);
}

static uint64_t used_bytes(struct traffic_record *record) {
    struct quota_state state;
    quota_snapshot(&record->quota, &state, NULL, 0);
    return state.used_bytes;
}

/* Usage, delays and counts are found again by name, whatever the order and whatever else is in the file. */
static void state_belongs_to_names(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, "Listen 80\n"
                                                   "<CBandClass lan>\nCBandClassDst 10.0.1.0/24\n</CBandClass>\n"
                                                   "<CBandUser alice>\nCBandUserLimit 1M\n</CBandUser>\n"
                                                   "<VirtualHost *:80>\nServerName a\nCBandUser alice\n"
                                                   "CBandClassLimit lan 5K\nCBandSpeed 0 1 0\n</VirtualHost>\n"
                                                   "<VirtualHost *:81>\nServerName a\n</VirtualHost>\n");
    struct shaper_ticket ticket;
    serve(binding, 1, 256, 0, 4000);
    serve(binding, 2, 1, 0, 7);
    admit(binding, 1, 1, 1, &ticket);
    CU_ASSERT_EQUAL(serve(binding, 1, 1, 1, 0).outcome, SHAPER_DELAY);
    struct traffic_record *a = binding->hosts[1].record, *user = binding->hosts[1].user_record;
    reload(shaper, &binding,
           "Listen 80\n<CBandClass other>\nCBandClassDst 10.0.2.0/24\n</CBandClass>\n"
           "<CBandClass lan>\nCBandClassDst 10.0.1.0/24\n</CBandClass>\n"
           "<VirtualHost *:81>\nServerName a\n</VirtualHost>\n"
           "<VirtualHost *:80>\nServerName new\n</VirtualHost>\n"
           "<VirtualHost *:80>\nServerName a\nCBandClassLimit lan 3K\nCBandSpeed 0 1 0\nCBandUser alice\n"
           "</VirtualHost>\n<CBandUser alice>\n</CBandUser>\n");
    CU_ASSERT_PTR_EQUAL(binding->hosts[3].record, a);
    CU_ASSERT_PTR_EQUAL(binding->hosts[3].user_record, user);
    CU_ASSERT_EQUAL(used_bytes(a), 4000);
    CU_ASSERT_EQUAL(used_bytes(user), 4000);
    CU_ASSERT_EQUAL(used_bytes(binding->hosts[1].record), 7);
    CU_ASSERT_EQUAL(used_bytes(binding->hosts[2].record), 0);
    CU_ASSERT_EQUAL(in_flight_now(&a->scope.in_flight), 1);
    struct shaper_decision decision = serve(binding, 3, 1, 1, 0);
    CU_ASSERT_EQUAL(decision.outcome, SHAPER_DELAY); /* after the one that was delayed before the reload */
    CU_ASSERT_DOUBLE_EQUAL((double)decision.delay_ns, 2e9, 1e3);
    CU_ASSERT_EQUAL(serve(binding, 3, 256, 100, 0).reason, SHAPER_REASON_HOST_CLASS_QUOTA);
    shaper_release(&ticket, at_s(2));
    CU_ASSERT_EQUAL(in_flight_now(&a->scope.in_flight), 0);
    end(shaper, binding);
}

static void hosts_of_one_name_and_port_are_told_apart_by_order(void) {
    static const char *const text = "Listen 80\n<VirtualHost 10.0.0.1:80>\nServerName a\n</VirtualHost>\n"
                                    "<VirtualHost 10.0.0.2:80>\nServerName a\n</VirtualHost>\n";
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, text);
    CU_ASSERT_TRUE(binding->hosts[1].record != binding->hosts[2].record);
    serve(binding, 2, 1, 0, 5);
    reload(shaper, &binding, text);
    CU_ASSERT_EQUAL(used_bytes(binding->hosts[1].record), 0);
    CU_ASSERT_EQUAL(used_bytes(binding->hosts[2].record), 5);
    end(shaper, binding);
}

/* An exchange that began before the reload ends on its record; a host that comes back has not lost its count. */
static void a_host_that_disappears_keeps_its_state(void) {
    static const char *const with = "Listen 80\n<VirtualHost *:80>\nServerName a\nCBandSpeed 64 0 0\n</VirtualHost>\n";
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, with);
    struct shaper_ticket ticket;
    admit(binding, 1, 1, 0, &ticket);
    shaper_charge(&ticket, SHAPER_RESPONSE, shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 9999, at_s(0)).bytes,
                  at_s(0));
    uint64_t sent = used_bytes(ticket.host);
    reload(shaper, &binding, "Listen 80\n");
    struct shaper_grant grant = shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 9999, at_s(0));
    CU_ASSERT_TRUE(grant.is_capped && grant.at_ns > at_s(0).mono_ns);
    shaper_charge(&ticket, SHAPER_RESPONSE, 100, at_s(0));
    shaper_release(&ticket, at_s(0));
    reload(shaper, &binding, with);
    CU_ASSERT_EQUAL(used_bytes(binding->hosts[1].record), sent + 100);
    CU_ASSERT_EQUAL(in_flight_now(&binding->hosts[1].record->scope.in_flight), 0);
    end(shaper, binding);
}

/* Caps that come, change and go hold for a transfer under way: of the host, its clients and its user. */
static void a_transfer_under_way_takes_new_limits(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, "Listen 80\n");
    struct shaper_ticket ticket;
    admit(binding, 0, 1, 0, &ticket);
    struct shaper_time now = at_s(0);
    CU_ASSERT_EQUAL(shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 1 << 20, now).bytes, 1 << 20);
    reload(shaper, &binding, "Listen 80\nCBandRemoteSpeed 8kB/s 0 0\n");
    shaper_return(&ticket, SHAPER_RESPONSE);
    CU_ASSERT_TRUE(shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 1 << 20, now).bytes <= 2896);
    shaper_charge(&ticket, SHAPER_RESPONSE, 2896, now);
    struct shaper_grant slow = shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 1 << 20, now);
    CU_ASSERT_DOUBLE_EQUAL((double)(slow.at_ns - now.mono_ns), 2896 / 8192.0 * 1e9 - (double)LANE_BURST_NS, 1e3);
    CU_ASSERT_EQUAL(shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 1 << 20, now).at_ns, slow.at_ns);
    reload(shaper, &binding, "Listen 80\nCBandRemoteSpeed 80kB/s 0 0\n");
    struct shaper_grant faster = shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 1 << 20, now);
    CU_ASSERT_DOUBLE_EQUAL((double)(faster.at_ns - now.mono_ns), (double)(slow.at_ns - now.mono_ns) / 10, 1e3);
    reload(shaper, &binding, "Listen 80\nCBandRemoteSpeed 8kB/s 0 0\nCBandDryRun On\n");
    CU_ASSERT_FALSE(shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 1 << 20, now).is_capped);
    reload(shaper, &binding, "Listen 80\n");
    struct shaper_grant free_again = shaper_reserve(&ticket, binding, SHAPER_RESPONSE, 1 << 20, now);
    CU_ASSERT_FALSE(free_again.is_capped);
    CU_ASSERT_EQUAL(free_again.at_ns, now.mono_ns);
    shaper_release(&ticket, now);
    end(shaper, binding);
}

/* Where the class's speed says 0 the general one stays; of host and user the stricter holds, field by field. */
static void speeds_of_a_client_are_put_together_field_by_field(void) {
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding =
        apply(shaper, "Listen 80\n<CBandClass lan>\nCBandClassDst 10.0.1.0/24\n</CBandClass>\n"
                      "<CBandUser alice>\nCBandUserRemoteSpeed 64 50 0\n</CBandUser>\nCBandUser alice\n"
                      "CBandRemoteSpeed 128 5 3\nCBandClassRemoteSpeed lan 0 100 9\n"
                      "CBandExceededSpeed 32 0 0\n");
    struct scope_speeds speeds[SHAPER_SCOPES];
    binding_speeds(binding, binding->hosts[0].limits, BINDING_NO_CLASS, speeds);
    struct speed_limit normal = speeds[SHAPER_CLIENT].normal;
    CU_ASSERT_TRUE(normal.bits_per_s == 65536 && normal.requests_per_s == 5 && normal.connections == 3);
    binding_speeds(binding, binding->hosts[0].limits, binding->class_ids[0], speeds);
    normal = speeds[SHAPER_CLIENT].normal;
    CU_ASSERT_TRUE(normal.bits_per_s == 65536 && normal.requests_per_s == 50 && normal.connections == 9);
    struct speed_limit exceeded = speeds[SHAPER_CLIENT].exceeded;
    CU_ASSERT_TRUE(exceeded.bits_per_s == 32768 && exceeded.requests_per_s == 50 && exceeded.connections == 9);
    reload(shaper, &binding,
           "Listen 80\n<CBandClass lan>\nCBandClassDst 10.0.1.0/24\n</CBandClass>\n"
           "CBandRemoteSpeed 128 5 3\nCBandClassRemoteSpeed lan 0 100 0\n");
    binding_speeds(binding, binding->hosts[0].limits, binding->class_ids[0], speeds);
    normal = speeds[SHAPER_CLIENT].normal;
    CU_ASSERT_TRUE(normal.bits_per_s == 131072 && normal.requests_per_s == 100 && normal.connections == 3);
    end(shaper, binding);
}

/* A record remembers its client's class, but only within one configuration. */
static void a_known_client_changes_its_class(void) {
    static const char *const texts[] = {
        "Listen 80\nCBandRemoteSpeed 1MB/s 0 0\n<CBandClass near>\nCBandClassDst 10.0.1.0/24\n</CBandClass>\n",
        ("Listen 80\nCBandRemoteSpeed 1MB/s 0 0\n<CBandClass far>\nCBandClassDst 10.0.0.0/24\n</CBandClass>\n"
         "<CBandClass near>\nCBandClassDst 10.0.1.0/25\n</CBandClass>\n"),
        "Listen 80\nCBandRemoteSpeed 1MB/s 0 0\n",
    };
    static const char *const near_and_far[][2] = {{"near", NULL}, {"near", "far"}, {NULL, NULL}};
    struct shaper *shaper = new_shaper();
    struct shaper_binding *binding = apply(shaper, texts[0]);
    for (size_t i = 0; i < 3; i++) {
        reload(shaper, &binding, texts[i]);
        for (unsigned times = 0; times < 6; times++) {
            struct shaper_ticket ticket;
            admit(binding, 0, times % 2 == 0 ? 257 : 1, (double)i, &ticket); /* 10.0.1.1 and 10.0.0.1 */
            const char *name = near_and_far[i][times % 2];
            size_t id = name != NULL ? class_record_of(shaper, name) : 0;
            CU_ASSERT_PTR_NOT_NULL(ticket.client);
            CU_ASSERT_PTR_EQUAL(ticket.class, name != NULL ? shaper->classes[id] : NULL);
            CU_ASSERT_PTR_EQUAL(ticket.host_class, name != NULL ? traffic_class_of(ticket.host, id) : NULL);
            shaper_release(&ticket, at_s((double)i));
        }
    }
    end(shaper, binding);
}

static void many_hosts_are_found_again(void) {
    enum { HOSTS = 3000 };
    struct shaper *shaper = new_shaper();
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    fprintf(stream, "Listen 80\n");
    for (unsigned i = 0; i < HOSTS; i++) {
        fprintf(stream, "<VirtualHost *:80>\nServerName host-%u\nCBandLimit %uK\n</VirtualHost>\n", i, i + 1);
    }
    fclose(stream);
    struct shaper_binding *binding = apply(shaper, text);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < HOSTS; i++) {
            serve(binding, i + 1, 1, 0, i + 1);
            CU_ASSERT_EQUAL(used_bytes(binding->hosts[i + 1].record), (uint64_t)(round + 1) * (i + 1));
        }
        reload(shaper, &binding, text);
    }
    free(text);
    end(shaper, binding);
}

/* ---- eight workers ---- */

static const char *const busy = "Listen 80\n<CBandClass lan>\nCBandClassDst 10.0.0.0/30\n</CBandClass>\n"
                                "<CBandUser alice>\nCBandUserSpeed %u 100000 0\nCBandUserLimit 1G\n</CBandUser>\n"
                                "CBandUser alice\nCBandSpeed %u 100000 5\nCBandRemoteSpeed 1000 0 2\nCBandLimit 40M\n"
                                "CBandPeriod 10\nCBandExceededSpeed 500 0 4\nCBandClassLimit lan 1M\n"
                                "CBandRemoteLimit 10M\n";

struct worker {
    struct shaper *shaper;
    pthread_mutex_t *mail; /* guards *current */
    struct shaper_binding **current;
    unsigned number;
    uint32_t seed;
    uint64_t sent, refused;
};

static struct shaper_binding *current_binding(struct worker *worker) {
    pthread_mutex_lock(worker->mail);
    struct shaper_binding *binding = shaper_binding_ref(*worker->current);
    pthread_mutex_unlock(worker->mail);
    return binding;
}

static void send_response(struct worker *worker, struct shaper_ticket *ticket, double now) {
    for (unsigned piece = 0; piece < 5; piece++) {
        struct shaper_binding *binding = current_binding(worker); /* may be later than the one that admitted */
        struct shaper_grant grant = shaper_reserve(ticket, binding, SHAPER_RESPONSE, 5000, at_s(now));
        shaper_binding_unref(&binding);
        uint64_t bytes = next_random(&worker->seed) % (grant.bytes + 1);
        shaper_charge(ticket, SHAPER_RESPONSE, bytes, at_s(now));
        shaper_return(ticket, SHAPER_RESPONSE);
        worker->sent += bytes;
    }
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct shaper_visitor visitor = {0};
    for (unsigned i = 0; i < 1500; i++) {
        double now = i * 0.002;
        struct shaper_binding *binding = current_binding(worker);
        struct shaper_ticket ticket;
        struct shaper_request request = {.worker = worker->number,
                                         .client = client(next_random(&worker->seed) % 20),
                                         .path = span_of("/"),
                                         .visitor = &visitor};
        struct shaper_decision decision;
        shaper_admit(binding, &request, at_s(now), &ticket, &decision);
        shaper_binding_unref(&binding);
        if (ticket.shaper != NULL) {
            send_response(worker, &ticket, now);
            shaper_release(&ticket, at_s(now));
        } else {
            worker->refused++;
        }
        if (worker->seed % 64 == 0) {
            char text[600];
            unsigned speed = 1000 + next_random(&worker->seed) % 9000;
            snprintf(text, sizeof text, busy, speed, speed);
            struct shaper_binding *next = apply(worker->shaper, text), *last;
            pthread_mutex_lock(worker->mail);
            last = *worker->current;
            *worker->current = next;
            pthread_mutex_unlock(worker->mail);
            shaper_binding_unref(&last);
        }
    }
    shaper_forget_visitor(&visitor, at_s(3));
    return NULL;
}

static void eight_workers_leave_nothing_behind(void) {
    struct shaper *shaper = new_shaper();
    char text[600];
    snprintf(text, sizeof text, busy, 5000u, 5000u);
    struct shaper_binding *binding = apply(shaper, text);
    pthread_mutex_t mail = PTHREAD_MUTEX_INITIALIZER;
    struct worker workers[8];
    for (size_t i = 0; i < 8; i++) {
        workers[i] = (struct worker){shaper, &mail, &binding, (unsigned)i, (uint32_t)i * 991 + 1, 0, 0};
    }
    run_eight_threads(work, workers, sizeof *workers);
    uint64_t sent = 0;
    for (size_t i = 0; i < 8; i++) {
        sent += workers[i].sent;
    }
    const struct host_binding *host = &binding->hosts[0];
    CU_ASSERT_EQUAL(used_bytes(host->record), sent);
    CU_ASSERT_EQUAL(used_bytes(host->user_record), sent);
    CU_ASSERT_EQUAL(in_flight_now(&host->record->scope.in_flight), 0);
    CU_ASSERT_TRUE(in_flight_most(&host->record->scope.in_flight) <= 5);
    CU_ASSERT_EQUAL(atomic_load(&host->record->scope.lane.holders), 0);
    CU_ASSERT_EQUAL(atomic_load(&host->user_record->scope.lane.holders), 0);
    pthread_mutex_destroy(&mail);
    end(shaper, binding);
}

int main(void) {
    static const CU_TestInfo tests[] = {TEST(state_belongs_to_names),
                                        TEST(hosts_of_one_name_and_port_are_told_apart_by_order),
                                        TEST(a_host_that_disappears_keeps_its_state),
                                        TEST(a_transfer_under_way_takes_new_limits),
                                        TEST(speeds_of_a_client_are_put_together_field_by_field),
                                        TEST(a_known_client_changes_its_class),
                                        TEST(many_hosts_are_found_again),
                                        TEST(eight_workers_leave_nothing_behind),
                                        CU_TEST_INFO_NULL};
    return run_suite("binding", tests);
}
