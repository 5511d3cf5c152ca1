/* The DOS* lines: each function checks one line's values and writes them into the host or the server.
 *
 * Called by the parser through the rows of directives_dos.c while a configuration is loaded. What a host has not said
 * itself is filled in by burst_limits_inherit() when all lines have been read. */
#include "config/dos_lines.h"

#include <assert.h>
#include <string.h>

#include "config/value_words.h"

static struct burst_limits *burst_said(struct parser *parser, uint32_t bit) {
    struct burst_limits *burst = &parser_scope(parser)->host->burst;
    mark_said(parser, &burst->said, bit);
    return burst;
}

static const char *kept(struct parser *parser, const char *text) {
    return arena_strdup(parser_arena(parser), text);
}

/* ---- numbers ------------------------------------------------------------ */

struct number_row {
    const char *name;
    uint32_t said;
    size_t offset; /* of a uint32_t in struct burst_limits or struct burst_server */
    uint32_t maximum;
    bool may_be_off;
};

static const struct number_row host_numbers[] = {
    {"DOSPageCount", BURST_SAID_PAGE_COUNT, offsetof(struct burst_limits, page.count), UINT32_MAX, true},
    {"DOSPageInterval", BURST_SAID_PAGE_INTERVAL, offsetof(struct burst_limits, page.interval_s), INT32_MAX, false},
    {"DOSSiteCount", BURST_SAID_SITE_COUNT, offsetof(struct burst_limits, site.count), UINT32_MAX, true},
    {"DOSSiteInterval", BURST_SAID_SITE_INTERVAL, offsetof(struct burst_limits, site.interval_s), INT32_MAX, false},
    {"DOSRequestCount", BURST_SAID_REQUEST_COUNT, offsetof(struct burst_limits, requests.count), UINT32_MAX, true},
    {"DOSRequestInterval", BURST_SAID_REQUEST_INTERVAL, offsetof(struct burst_limits, requests.interval_s), INT32_MAX,
     false},
    {"DOSConnectionCount", BURST_SAID_CONNECTION_COUNT, offsetof(struct burst_limits, connections.count), UINT32_MAX,
     true},
    {"DOSConnectionInterval", BURST_SAID_CONNECTION_INTERVAL, offsetof(struct burst_limits, connections.interval_s),
     INT32_MAX, false},
    {"DOSConcurrentConnections", BURST_SAID_CONCURRENT, offsetof(struct burst_limits, concurrent), UINT32_MAX, true},
    {"DOSBlockingPeriod", BURST_SAID_BLOCKING_PERIOD, offsetof(struct burst_limits, blocking_period_s), INT32_MAX,
     false},
};

enum { MOST_CLIENTS = 100000000 };

static const struct number_row server_numbers[] = {
    {"DOSHashTableSize", BURST_SAID_HASH_TABLE_SIZE, offsetof(struct burst_server, hash_table_size), UINT32_MAX, false},
    {"DOSMaxClients", BURST_SAID_MAX_CLIENTS, offsetof(struct burst_server, max_clients), MOST_CLIENTS, false},
    {"DOSIPv6Prefix", BURST_SAID_IPV6_PREFIX, offsetof(struct burst_server, ipv6_prefix_bits), 128, false},
};
_Static_assert(sizeof(unsigned) == sizeof(uint32_t), "ipv6_prefix_bits is written as a uint32_t");

static const struct number_row *number_row(const struct number_row *rows, size_t count, const char *name) {
    size_t i = 0;
    while (i < count && strcmp(rows[i].name, name) != 0) {
        i++;
    }
    assert(i < count); /* every row of the table with a number stands above */
    return &rows[i];
}

static void store_number(void *object, const struct number_row *row, uint32_t number) {
    memcpy((char *)object + row->offset, &number, sizeof number);
}

void dos_apply_number(struct parser *parser, const struct directive_use *use) {
    const struct number_row *row =
        number_row(host_numbers, sizeof host_numbers / sizeof *host_numbers, use->directive->name);
    struct burst_limits *burst = burst_said(parser, row->said);
    const struct word *word = &use->arguments[0];
    uint32_t number = 0;
    if (row->may_be_off && strcasecmp(word->text, "off") == 0) {
        store_number(burst, row, 0);
    } else if (row->may_be_off && strcmp(word->text, "0") == 0) {
        parser_error_at(parser, word, "write Off to turn this rule off, or at least 1",
                        "0 would block every request or none");
    } else if (word_whole(parser, word, 1, row->maximum, &number)) {
        store_number(burst, row, number);
    }
}

/* There is one table of clients: such a line means the same wherever it stands. */
static struct burst_server *server_said(struct parser *parser, uint32_t bit) {
    struct burst_server *server = &parser_config(parser)->server.burst;
    if (parser_scope(parser)->context == CONTEXT_HOST && bit != BURST_SAID_HASH_TABLE_SIZE) {
        parser_warn_at(parser, NULL, "write it outside of all <VirtualHost>s", "holds for the whole server");
    }
    parser_scope(parser)->host->burst.said |= bit; /* any DOS line turns DOSEnabled on */
    mark_said(parser, &server->said, bit);
    return server;
}

void dos_apply_server_number(struct parser *parser, const struct directive_use *use) {
    const struct number_row *row =
        number_row(server_numbers, sizeof server_numbers / sizeof *server_numbers, use->directive->name);
    struct burst_server *server = server_said(parser, row->said);
    uint32_t number;
    if (word_whole(parser, &use->arguments[0], 1, row->maximum, &number)) {
        store_number(server, row, number);
    }
}

/* ---- switches and choices ------------------------------------------------------------ */

static void apply_on_off(struct parser *parser, const struct word *word, bool *on) {
    struct value_result result = value_parse_on_off((struct span){word->text, word->length}, true, on);
    word_report(parser, word, &result);
}

void dos_apply_enabled(struct parser *parser, const struct directive_use *use) {
    apply_on_off(parser, &use->arguments[0], &burst_said(parser, BURST_SAID_ENABLED)->enabled);
}

void dos_apply_log_only(struct parser *parser, const struct directive_use *use) {
    apply_on_off(parser, &use->arguments[0], &burst_said(parser, BURST_SAID_LOG_ONLY)->log_only);
}

void dos_apply_status(struct parser *parser, const struct directive_use *use) {
    word_refusal_status(parser, &use->arguments[0], &burst_said(parser, BURST_SAID_STATUS)->status);
}

void dos_apply_action(struct parser *parser, const struct directive_use *use) {
    static const struct choice actions[] = {
        {"status", BURST_ACTION_STATUS},
        {"close", BURST_ACTION_CLOSE},
        {"reset", BURST_ACTION_RESET},
        {NULL, 0},
    };
    struct burst_limits *burst = burst_said(parser, BURST_SAID_ACTION);
    unsigned action;
    if (word_choice(parser, &use->arguments[0], actions, &action)) {
        burst->action = (enum burst_action)action;
    }
}

/* ---- lists ------------------------------------------------------------ */

void dos_apply_whitelist(struct parser *parser, const struct directive_use *use) {
    struct burst_limits *burst = &parser_scope(parser)->host->burst;
    burst->said |= BURST_SAID_WHITELIST;
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        struct ip_mask entry;
        if (!ip_mask_parse((struct span){word->text, word->length}, &entry)) {
            parser_error_at(
                parser, word,
                "write an address, a network, or * for whole octets, e.g. 192.0.2.7, 2001:db8::/32, 10.1.*.*",
                "\"%s\" is not an address", word->text);
            continue;
        }
        struct ip_mask *entries =
            list_grow(parser_arena(parser), burst->whitelist, burst->whitelist_count, sizeof *entries);
        entries[burst->whitelist_count++] = entry;
        burst->whitelist = entries;
    }
}

static void add_patterns(struct parser *parser, const struct directive_use *use, const struct pattern *const **list,
                         size_t *count) {
    for (size_t i = 0; i < use->argument_count; i++) {
        const struct word *word = &use->arguments[i];
        const struct pattern *pattern = parser_pattern(parser, word, word->text, false);
        if (pattern != NULL) {
            const struct pattern **patterns =
                list_grow(parser_arena(parser), *list, *count, sizeof(const struct pattern *));
            patterns[(*count)++] = pattern;
            *list = patterns;
        }
    }
}

void dos_apply_whitelist_uri(struct parser *parser, const struct directive_use *use) {
    struct burst_limits *burst = &parser_scope(parser)->host->burst;
    burst->said |= BURST_SAID_WHITELIST_URI;
    add_patterns(parser, use, &burst->whitelist_uris, &burst->whitelist_uri_count);
}

void dos_apply_targetlist_uri(struct parser *parser, const struct directive_use *use) {
    struct burst_limits *burst = &parser_scope(parser)->host->burst;
    burst->said |= BURST_SAID_TARGETLIST_URI;
    add_patterns(parser, use, &burst->targetlist_uris, &burst->targetlist_uri_count);
}

void dos_apply_blocklist_uri(struct parser *parser, const struct directive_use *use) {
    struct burst_limits *burst = &parser_scope(parser)->host->burst;
    burst->said |= BURST_SAID_BLOCKLIST_URI;
    add_patterns(parser, use, &burst->blocklist_uris, &burst->blocklist_uri_count);
}

/* ---- what is told to whom ------------------------------------------------------------ */

/* A mail address goes into a header field: nothing that could end one, or look like an option of a mailer. */
void dos_apply_email(struct parser *parser, const struct directive_use *use) {
    struct burst_limits *burst = burst_said(parser, BURST_SAID_EMAIL);
    const struct word *word = &use->arguments[0];
    bool good = word->length > 0 && word->text[0] != '-';
    for (size_t i = 0; i < word->length; i++) {
        unsigned char c = (unsigned char)word->text[i];
        good = good && c > ' ' && c != 0x7f && strchr(",;<>()\"\\", c) == NULL;
    }
    if (!good) {
        parser_error_at(parser, word, "write one address, e.g. admin@example.org", "\"%s\" is not a mail address",
                        word->text);
        return;
    }
    burst->email = kept(parser, word->text);
}

static bool not_empty(struct parser *parser, const struct word *word) {
    if (word->length == 0) {
        parser_error_at(parser, word, "leave the line out for none", "nothing stands between the quotes");
    }
    return word->length > 0;
}

void dos_apply_mail_command(struct parser *parser, const struct directive_use *use) {
    struct burst_limits *burst = burst_said(parser, BURST_SAID_MAIL_COMMAND);
    if (not_empty(parser, &use->arguments[0])) {
        burst->mail_command = kept(parser, use->arguments[0].text);
    }
}

void dos_apply_system_command(struct parser *parser, const struct directive_use *use) {
    struct burst_limits *burst = burst_said(parser, BURST_SAID_SYSTEM_COMMAND);
    const struct word *word = &use->arguments[0];
    if (!not_empty(parser, word)) {
        return;
    }
    for (const char *p = strchr(word->text, '%'); p != NULL; p = strchr(p + 2, '%')) {
        if (p[1] != 's' && p[1] != '%') {
            parser_error_at(parser, word, "write %s for the address, %% for a percent sign",
                            "%s stands for nothing in a command", p[1] == '\0' ? "a % at the end" : "a % before this");
            return;
        }
    }
    burst->system_command = kept(parser, word->text);
}

void dos_apply_log_dir(struct parser *parser, const struct directive_use *use) {
    struct burst_limits *burst = burst_said(parser, BURST_SAID_LOG_DIR);
    if (not_empty(parser, &use->arguments[0])) {
        burst->log_dir = parser_path(parser, use->arguments[0].text);
    }
}

/* ---- firewall ------------------------------------------------------------ */

/* Names of nftables: a letter, then letters, digits and _ / \ . - */
static bool firewall_name(struct parser *parser, const struct word *word) {
    bool good = word->length > 0 && word->length < 128;
    for (size_t i = 0; i < word->length && good; i++) {
        char c = word->text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        good = letter || (i > 0 && ((c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'));
    }
    if (!good) {
        parser_error_at(parser, word, "write the name as \"nft list ruleset\" shows it",
                        "\"%s\" is not a name that nftables takes", word->text);
    }
    return good;
}

void dos_apply_firewall(struct parser *parser, const struct directive_use *use) {
    static const struct choice families[] = {
        {"ip", FIREWALL_IP},         {"ip6", FIREWALL_IP6},       {"inet", FIREWALL_INET},
        {"bridge", FIREWALL_BRIDGE}, {"netdev", FIREWALL_NETDEV}, {NULL, 0},
    };
    static const char hint[] = "write nftables FAMILY TABLE SET, e.g. \"nftables inet filter weir4 weir6\", or none";
    struct burst_server *server = server_said(parser, BURST_SAID_FIREWALL);
    const struct word *words = use->arguments;
    server->firewall_place = use->name.place;
    server->firewall_family = FIREWALL_NONE;
    memset(server->firewall_sets, 0, sizeof server->firewall_sets);
    if (use->argument_count == 1 && strcasecmp(words[0].text, "none") == 0) {
        return;
    }
    if (strcasecmp(words[0].text, "nftables") != 0) {
        parser_error_at(parser, &words[0], hint, "\"%s\" is not a firewall known here", words[0].text);
        return;
    }
    if (use->argument_count < 4) {
        parser_error_at(parser, NULL, hint, "nftables has three or four words behind it");
        return;
    }
    unsigned family;
    bool good = word_choice(parser, &words[1], families, &family);
    good = firewall_name(parser, &words[2]) && good;
    for (size_t i = 3; i < use->argument_count; i++) {
        good = firewall_name(parser, &words[i]) && good;
    }
    if (good) {
        server->firewall_family = (enum firewall_family)family;
        server->firewall_table = kept(parser, words[2].text);
        for (size_t i = 3; i < use->argument_count; i++) {
            server->firewall_sets[i - 3] = kept(parser, words[i].text);
        }
    }
}
