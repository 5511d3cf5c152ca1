/* Elements of a set of nftables. Called by block_notifier.c on the housekeeping thread. Invariants: changes of one
 * address are made in the order in which they were asked for; the thread is never in libnftables for two batches in one
 * turn. */
#include "proxy/firewall_nftables.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "config/arena.h"
#include "proxy/block_text.h"
#include "proxy/clock.h"
#include "proxy/log.h"

#define COLLECT_SECONDS 0.02 /* what comes within this time goes into one batch */
#define LOOK_AGAIN_NS (5 * NS_PER_SECOND)
#define PIECES_NS (500 * NS_PER_MS)
#define COMPLAIN_AGAIN_NS (10 * NS_PER_SECOND)

enum { NAME_MAX_BYTES = 320, ERROR_MAX = 200, SHARE_OF_THREAD = 5 };

struct change {
    struct ip_prefix blocked;
    uint32_t seconds; /* 0: to be removed */
};

/* One thing that may be wrong, and whether it was said. */
struct trouble {
    char text[ERROR_MAX]; /* "": nothing */
    bool logged;
    int64_t again_ns; /* no line before */
};

struct firewall {
    struct ev_loop *loop;
    ev_timer collect;
    struct nft_ctx *nft;                         /* made when it is needed first */
    char name[NAME_MAX_BYTES];                   /* "inet filter weir"; "": no firewall */
    struct firewall_set set;                     /* when usable */
    bool alone;                                  /* no other set is told of the same addresses */
    bool usable;                                 /* the set was there when it was last looked at */
    int64_t look_ns;                             /* not again before */
    struct trouble set_trouble, element_trouble; /* all is lost; one address is */
    struct change *pending;                      /* oldest first */
    size_t pending_count, pending_room;
    struct firewall_counts counts;
};

/* ---- what is said ---- */

static const char *advice(const char *error) {
    static const struct {
        const char *part, *advice;
    } rows[] = {
        {"ermission", "weir needs CAP_NET_ADMIN: start it as root, with User, or let the service manager give it"},
        {"ermitted", "weir needs CAP_NET_ADMIN: start it as root, with User, or let the service manager give it"},
        {"No such file", "create table and set first, as in nft add set …, and look at them with nft list ruleset"},
        {"does not exist", "create table and set first, as in nft add set …, and look at them with nft list ruleset"},
        {"overlaps", "the set has a network already that holds this address; auto-merge would take both"},
        {"Too many open files in system", "the set is full; declare it with a larger size"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strstr(error, rows[i].part) != NULL) {
            return rows[i].advice;
        }
    }
    return "blocking goes on without it";
}

static void complain(struct firewall *firewall, struct trouble *trouble, const char *error) {
    int64_t now_ns = clock_monotonic_ns();
    if (strcmp(trouble->text, error) != 0) {
        snprintf(trouble->text, sizeof trouble->text, "%s", error);
        trouble->logged = false;
    }
    if (!trouble->logged && now_ns >= trouble->again_ns) {
        trouble->logged = true;
        trouble->again_ns = now_ns + COMPLAIN_AGAIN_NS;
        log_error("DOSFirewall nftables %s: %s (%s)", firewall->name, error, advice(error));
    }
}

static void be_content(struct firewall *firewall) {
    struct trouble *trouble = &firewall->set_trouble;
    if (trouble->logged) {
        log_notice("DOSFirewall nftables %s: takes addresses again", firewall->name);
    }
    trouble->text[0] = '\0';
    trouble->logged = false;
}

/* ---- libnftables ---- */

/* libnftables ends the process when it gets no socket: so whether there is one is tried before. */
static bool open_nft(struct firewall *firewall) {
    if (firewall->nft != NULL) {
        return true;
    }
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0) {
        char error[ERROR_MAX];
        snprintf(error, sizeof error, "the kernel has no netfilter for us: %s", strerror(errno));
        complain(firewall, &firewall->set_trouble, error);
        return false;
    }
    close(fd);
    firewall->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (firewall->nft == NULL) {
        complain(firewall, &firewall->set_trouble, "libnftables cannot be used");
        return false;
    }
    nft_ctx_output_set_flags(firewall->nft, NFT_CTX_OUTPUT_TERSE); /* a set without its elements */
    (void)nft_ctx_buffer_output(firewall->nft);
    (void)nft_ctx_buffer_error(firewall->nft);
    return true;
}

/* The first line of what nft says, without the place in our command that it puts before it. */
static void read_error(struct firewall *firewall, char error[ERROR_MAX]) {
    const char *said = nft_ctx_get_error_buffer(firewall->nft);
    const char *begin = said != NULL ? strstr(said, "Error: ") : NULL;
    begin = begin != NULL ? begin + strlen("Error: ") : said;
    int length = begin != NULL ? (int)strcspn(begin, "\n") : 0;
    snprintf(error, ERROR_MAX, "%.*s", length < ERROR_MAX ? length : ERROR_MAX - 1, length > 0 ? begin : "");
    if (length == 0) {
        snprintf(error, ERROR_MAX, "%s", errno != 0 ? strerror(errno) : "nft does not say what is wrong");
    }
}

static bool run(struct firewall *firewall, const char *commands, char error[ERROR_MAX]) {
    errno = 0;
    bool done = nft_run_cmd_from_buffer(firewall->nft, commands) == 0;
    if (!done) {
        read_error(firewall, error);
    }
    (void)nft_ctx_get_error_buffer(firewall->nft); /* both buffers begin anew with the next command */
    return done;
}

/* Whether a line of the listing has the word. */
static bool line_has(const char *listing, const char *label, const char *word) {
    for (const char *line = listing; line != NULL && *line != '\0';) {
        const char *text = line + strspn(line, " \t");
        size_t length = strcspn(text, "\n");
        const char *found = strncmp(text, label, strlen(label)) == 0 ? strstr(text, word) : NULL;
        if (found != NULL && found < text + length) {
            return true;
        }
        line = text[length] == '\n' ? text + length + 1 : NULL;
    }
    return false;
}

struct firewall_set firewall_read_set(const char *listing) {
    struct firewall_set set = {
        .ipv4 = line_has(listing, "type ", "ipv4_addr") || line_has(listing, "typeof ", "ip "),
        .ipv6 = line_has(listing, "type ", "ipv6_addr") || line_has(listing, "typeof ", "ip6 "),
        .timeouts = line_has(listing, "flags ", "timeout"),
        .prefixes = line_has(listing, "flags ", "interval"),
    };
    return set;
}

static bool look(struct firewall *firewall) {
    char command[NAME_MAX_BYTES + 16], error[ERROR_MAX];
    firewall->usable = false;
    firewall->look_ns = clock_monotonic_ns() + LOOK_AGAIN_NS;
    if (!open_nft(firewall)) {
        return false;
    }
    snprintf(command, sizeof command, "list set %s\n", firewall->name);
    if (!run(firewall, command, error)) {
        complain(firewall, &firewall->set_trouble, error);
        return false;
    }
    const char *listing = nft_ctx_get_output_buffer(firewall->nft);
    firewall->set = firewall_read_set(listing != NULL ? listing : "");
    if (!firewall->set.ipv4 && !firewall->set.ipv6) {
        complain(firewall, &firewall->set_trouble, "the set is not of type ipv4_addr or ipv6_addr");
    } else if (!firewall->set.timeouts) {
        complain(firewall, &firewall->set_trouble, "the set is declared without flags timeout");
    } else {
        firewall->usable = true;
    }
    return firewall->usable;
}

/* ---- batches ---- */

static void print_elements(FILE *out, const struct firewall *firewall, const char *verb, const struct change *changes,
                           size_t count, bool with_time) {
    const char *before = "";
    for (size_t i = 0; i < count; i++) {
        char text[BLOCKED_TEXT_MAX];
        if (with_time && changes[i].seconds == 0) {
            continue;
        }
        if (before[0] == '\0') {
            fprintf(out, "%s element %s { ", verb, firewall->name);
        }
        block_text_blocked(&changes[i].blocked, text);
        fprintf(out, "%s%s", before, text);
        if (with_time) {
            fprintf(out, " timeout %us", changes[i].seconds);
        }
        before = ", ";
    }
    if (before[0] != '\0') {
        fputs(" }\n", out);
    }
}

/* Adding what is there is no error, deleting what is not there is one, and a time-out changes only with a new element:
 * so each is added, deleted, and added with its time, in one transaction, and nobody sees a moment without it. */
static bool run_batch(struct firewall *firewall, const struct change *changes, size_t count, char error[ERROR_MAX]) {
    char *commands = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&commands, &size);
    if (out == NULL) {
        snprintf(error, ERROR_MAX, "%s", strerror(errno));
        return false;
    }
    print_elements(out, firewall, "add", changes, count, false);
    print_elements(out, firewall, "delete", changes, count, false);
    print_elements(out, firewall, "add", changes, count, true);
    fclose(out);
    bool done = run(firewall, commands, error);
    free(commands);
    return done;
}

/* How long a batch that failed may be looked into: with a hundred thousand elements in the table a try takes 0.2 s. */
struct patience {
    unsigned tries;
    int64_t end_ns;
};

/* Halves what fails, to find the one change that spoils the rest. */
static void run_pieces(struct firewall *firewall, const struct change *changes, size_t count,
                       struct patience *patience) {
    char error[ERROR_MAX];
    if (patience->tries == 0 || clock_monotonic_ns() > patience->end_ns) {
        firewall->counts.failures += count;
        return;
    }
    patience->tries--;
    if (run_batch(firewall, changes, count, error)) {
        firewall->counts.changes += count;
    } else if (count == 1) {
        firewall->counts.failures++;
        complain(firewall, &firewall->element_trouble, error);
    } else {
        run_pieces(firewall, changes, count / 2, patience);
        run_pieces(firewall, changes + count / 2, count - count / 2, patience);
    }
}

static void run_changes(struct firewall *firewall, const struct change *changes, size_t count) {
    char error[ERROR_MAX];
    if (run_batch(firewall, changes, count, error)) {
        firewall->counts.changes += count;
        be_content(firewall);
        return;
    }
    if (!look(firewall)) { /* it says why */
        firewall->counts.failures += count;
    } else if (count == 1) {
        firewall->counts.failures++;
        complain(firewall, &firewall->element_trouble, error);
    } else {
        struct patience patience = {FIREWALL_TRIES_MAX, clock_monotonic_ns() + PIECES_NS};
        run_pieces(firewall, changes, count, &patience);
    }
}

static bool full_length(const struct ip_prefix *blocked) {
    return blocked->length == (blocked->address.family == IP_V4 ? 32 : 128);
}

/* Whether the set takes such an address at all; counts it if not. */
static bool fits(struct firewall *firewall, const struct ip_prefix *blocked) {
    bool v4 = blocked->address.family == IP_V4;
    if (v4 ? !firewall->set.ipv4 : !firewall->set.ipv6) {
        firewall->counts.skipped += firewall->alone;
        return false;
    }
    if (!full_length(blocked) && !firewall->set.prefixes) {
        firewall->counts.failures++;
        complain(firewall, &firewall->element_trouble,
                 "the set takes no prefixes; declare it with flags interval, timeout, or DOSIPv6Prefix 128");
        return false;
    }
    return true;
}

static bool same_prefix(const struct ip_prefix *a, const struct ip_prefix *b) {
    return a->length == b->length && ip_address_equal(&a->address, &b->address);
}

/* The last word about each address: an address may stand in a batch once only. Keeps the order. */
static size_t choose(struct firewall *firewall, struct change *changes, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool last = true;
        for (size_t k = i + 1; k < count && last; k++) {
            last = !same_prefix(&changes[i].blocked, &changes[k].blocked);
        }
        if (last && fits(firewall, &changes[i].blocked)) {
            changes[kept++] = changes[i];
        }
    }
    return kept;
}

static void schedule(struct firewall *firewall, double seconds) {
    if (!ev_is_active(&firewall->collect) && firewall->pending_count > 0) {
        ev_timer_set(&firewall->collect, seconds, 0.);
        ev_timer_start(firewall->loop, &firewall->collect);
    }
}

static void forget_pending(struct firewall *firewall, size_t count) {
    firewall->pending_count -= count;
    memmove(firewall->pending, firewall->pending + count, firewall->pending_count * sizeof *firewall->pending);
}

static void on_collected(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)events;
    struct firewall *firewall = watcher->data;
    int64_t begin_ns = clock_monotonic_ns();
    if (!firewall->usable && (begin_ns < firewall->look_ns || !look(firewall))) {
        firewall->counts.failures += firewall->pending_count;
        firewall->pending_count = 0;
        return;
    }
    size_t taken = firewall->pending_count < FIREWALL_BATCH_MAX ? firewall->pending_count : FIREWALL_BATCH_MAX;
    size_t count = choose(firewall, firewall->pending, taken);
    if (count > 0) {
        run_changes(firewall, firewall->pending, count);
    }
    forget_pending(firewall, taken);
    ev_now_update(loop); /* libnftables may have taken its time */
    double took = (double)(clock_monotonic_ns() - begin_ns) / (double)NS_PER_SECOND;
    schedule(firewall, COLLECT_SECONDS + took * (SHARE_OF_THREAD - 1));
}

static void add_pending(struct firewall *firewall, const struct ip_prefix *blocked, uint32_t seconds) {
    if (firewall->name[0] == '\0' || blocked->address.family == IP_NONE) {
        return;
    }
    if (firewall->pending_count >= FIREWALL_PENDING_MAX) {
        firewall->counts.failures++;
        complain(firewall, &firewall->element_trouble, "more addresses are blocked than the firewall is told in time");
        return;
    }
    if (firewall->pending_count == firewall->pending_room) {
        firewall->pending_room = firewall->pending_room == 0 ? 64 : firewall->pending_room * 2;
        firewall->pending = must_realloc(firewall->pending, firewall->pending_room * sizeof *firewall->pending);
    }
    firewall->pending[firewall->pending_count++] = (struct change){*blocked, seconds};
    schedule(firewall, COLLECT_SECONDS);
}

/* ---- the door ---- */

void firewall_put(struct firewall *firewall, const struct ip_prefix *blocked, uint32_t seconds) {
    uint32_t bounded = seconds > FIREWALL_SECONDS_MAX ? FIREWALL_SECONDS_MAX : seconds;
    add_pending(firewall, blocked, bounded > 0 ? bounded : 1);
}

void firewall_remove(struct firewall *firewall, const struct ip_prefix *blocked) {
    add_pending(firewall, blocked, 0);
}

static const char *family_name(enum firewall_family family) {
    static const char *const names[] = {
        [FIREWALL_IP] = "ip",         [FIREWALL_IP6] = "ip6",       [FIREWALL_INET] = "inet",
        [FIREWALL_BRIDGE] = "bridge", [FIREWALL_NETDEV] = "netdev",
    };
    return names[family];
}

void firewall_apply(struct firewall *firewall, const struct burst_server *server, size_t which) {
    char name[NAME_MAX_BYTES] = "";
    if (server->firewall_family != FIREWALL_NONE && server->firewall_sets[which] != NULL) {
        snprintf(name, sizeof name, "%s %s %s", family_name(server->firewall_family), server->firewall_table,
                 server->firewall_sets[which]);
    }
    firewall->alone = server->firewall_sets[FIREWALL_SETS_MAX - 1] == NULL;
    if (strcmp(name, firewall->name) != 0) { /* what is pending was meant for the other set */
        firewall->pending_count = 0;
        firewall->set_trouble = firewall->element_trouble = (struct trouble){0};
        firewall->usable = false;
        memcpy(firewall->name, name, sizeof name);
    }
    if (name[0] != '\0' && look(firewall)) {
        be_content(firewall);
    }
}

struct firewall_counts firewall_counts(const struct firewall *firewall) {
    return firewall->counts;
}

struct firewall *firewall_new(struct ev_loop *loop) {
    struct firewall *firewall = must_calloc(1, sizeof *firewall);
    firewall->loop = loop;
    ev_timer_init(&firewall->collect, on_collected, COLLECT_SECONDS, 0.);
    firewall->collect.data = firewall;
    return firewall;
}

void firewall_free(struct firewall **firewall_pointer) {
    struct firewall *firewall = *firewall_pointer;
    if (firewall == NULL) {
        return;
    }
    ev_timer_stop(firewall->loop, &firewall->collect);
    if (firewall->nft != NULL) {
        nft_ctx_free(firewall->nft);
    }
    free(firewall->pending);
    free(firewall);
    *firewall_pointer = NULL;
}
