/* mod_cband's XML, white space included, which no general writer would print so. Called by stats_render().
 * Always true: what is written is ASCII but for Latin-1 letters in names, which cannot be written as references. */
#include "stats/xml_classic.h"

#include <inttypes.h>

#include "stats/arithmetic.h"
#include "stats/clean_text.h"

struct classic_document {
    FILE *out;
    int64_t now_s;
    struct clean_text scratch;
};

/* ---- names and texts ---- */

static bool is_letter(uint32_t character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || character == '_' ||
           (character >= 0xc0 && character <= 0xff && character != 0xd7 && character != 0xf7);
}

static bool is_inner(uint32_t character) { /* what may stand in a name, but not begin it */
    return (character >= '0' && character <= '9') || character == '-' || character == '.' || character == 0xb7;
}

/* A colon would be a namespace's. */
static void put_name(struct classic_document *document, const char *name) {
    const char *at = clean_text(&document->scratch, name);
    bool is_first = true;
    uint32_t character;
    while ((character = clean_text_next(&at)) != 0) {
        if (is_first && is_inner(character)) {
            fputc('_', document->out);
        }
        fputc(is_letter(character) || is_inner(character) ? (int)character : '_', document->out);
        is_first = false;
    }
    if (is_first) {
        fputc('_', document->out);
    }
}

static void put_escaped(struct classic_document *document, const char *text) {
    const char *at = clean_text(&document->scratch, text);
    uint32_t character;
    while ((character = clean_text_next(&at)) != 0) {
        if (character >= 0x7f || character == '&' || character == '<' || character == '>') {
            fprintf(document->out, "&#%" PRIu32 ";", character);
        } else {
            fputc((int)character, document->out);
        }
    }
}

static void put_text(struct classic_document *document, const char *name, const char *text) {
    fprintf(document->out, "\t\t\t<%s>", name);
    put_escaped(document, text != NULL ? text : "none");
    fprintf(document->out, "</%s>\n", name);
}

/* ---- numbers ---- */

static uint64_t round_up(uint64_t value, uint64_t unit) {
    return value / unit + (value % unit != 0);
}

static bool is_kib(const struct stats_quota *quota) { /* a limit that nobody set is "0KiB" */
    return quota->in_kib || quota->limit_bytes == 0;
}

static uint64_t whole_kbps(uint64_t bits_per_s) {
    return bits_per_s > 0 && bits_per_s < 1024 ? 1 : bits_per_s / 1024;
}

static void put_span(struct classic_document *document, int64_t seconds) {
    fprintf(document->out, "%" PRId64 "W %" PRId64 "D %02d:%02d:%02d", seconds / 604800, seconds / 86400 % 7,
            (int)(seconds / 3600 % 24), (int)(seconds / 60 % 60), (int)(seconds % 60));
}

/* ---- elements ---- */

/* <NAME>123KiB</NAME>; name NULL: total. */
static void put_size(struct classic_document *document, const char *name, uint64_t size, bool kib) {
    fputs("\t\t\t\t<", document->out);
    put_name(document, name != NULL ? name : "total");
    fprintf(document->out, ">%" PRIu64 "%s</", size, kib ? "KiB" : "KB");
    put_name(document, name != NULL ? name : "total");
    fputs(">\n", document->out);
}

static void put_limits(struct classic_document *document, const struct stats_limits *limits) {
    fputs("\t\t\t<limits>\n", document->out);
    const struct stats_quota *quota = &limits->quota;
    put_size(document, NULL, round_up(quota->limit_bytes, is_kib(quota) ? 1024 : 1000), is_kib(quota));
    for (size_t i = 0; i < limits->class_quota_count; i++) {
        quota = &limits->class_quotas[i];
        put_size(document, quota->class_name, round_up(quota->limit_bytes, is_kib(quota) ? 1024 : 1000), is_kib(quota));
    }
    fprintf(document->out,
            "\t\t\t\t<kbps>%" PRIu64 "</kbps>\n\t\t\t\t<rps>%" PRIu32 "</rps>\n"
            "\t\t\t\t<connections>%" PRIu32 "</connections>\n\t\t\t</limits>\n",
            whole_kbps(limits->speed_in_force.bits_per_s), limits->speed_in_force.requests_per_s,
            limits->speed_in_force.connections);
}

static void put_usages(struct classic_document *document, const struct stats_limits *limits,
                       const struct stats_traffic *traffic) {
    fputs("\t\t\t<usages>\n", document->out);
    put_size(document, NULL, limits->quota.used_bytes / 1024, true); /* whatever the limit's unit, as in the original */
    for (size_t i = 0; i < limits->class_quota_count; i++) {
        const struct stats_quota *quota = &limits->class_quotas[i];
        put_size(document, quota->class_name, quota->used_bytes / (is_kib(quota) ? 1024 : 1000), is_kib(quota));
    }
    fprintf(document->out,
            "\t\t\t\t<kbps>%.2f</kbps>\n\t\t\t\t<rps>%.2f</rps>\n"
            "\t\t\t\t<connections>%u</connections>\n\t\t\t</usages>\n",
            stats_kbps(traffic->rates.bytes_per_s_10), traffic->rates.requests_per_s_10, traffic->connections);
}

/* Without indent before and line break behind it, as in the original. */
static void put_time_to_refresh(struct classic_document *document, const struct stats_limits *limits) {
    int64_t left_s = stats_time_to_refresh_s(limits, document->now_s);
    fputs("<time_to_refresh>", document->out);
    if (left_s < 0) {
        fputs("never", document->out);
    } else {
        put_span(document, left_s);
    }
    fputs("</time_to_refresh>", document->out);
}

/* The tag of a host or user. */
static void put_tag(struct classic_document *document, const char *before, const char *name) {
    fputs(before, document->out);
    put_name(document, name);
    fputs(">\n", document->out);
}

static void put_host(struct classic_document *document, const struct stats_host *host) {
    put_tag(document, "\t\t<", host->traffic.name);
    fprintf(document->out, "\t\t\t<port>%u</port>\n\t\t\t<line>%u</line>\n", host->port, host->line);
    put_limits(document, &host->limits);
    put_usages(document, &host->limits, &host->traffic);
    put_time_to_refresh(document, &host->limits);
    put_text(document, "user", host->user);
    put_text(document, "scoreboard", host->limits.scoreboard);
    put_text(document, "limit_exceeded_URL", host->limits.exceeded_url);
    put_tag(document, "\t\t</", host->traffic.name);
}

/* The last two elements stand the other way round. */
static void put_user(struct classic_document *document, const struct stats_user *user) {
    put_tag(document, "\t\t<", user->traffic.name);
    put_limits(document, &user->limits);
    put_usages(document, &user->limits, &user->traffic);
    put_time_to_refresh(document, &user->limits);
    put_text(document, "limit_exceeded_URL", user->limits.exceeded_url);
    put_text(document, "scoreboard", user->limits.scoreboard);
    put_tag(document, "\t\t</", user->traffic.name);
}

void stats_xml_classic(const struct stats_snapshot *snapshot, const struct stats_view *view, FILE *out) {
    (void)view;
    struct classic_document document = {.out = out, .now_s = snapshot->server.now_s};
    fputs("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n<mod_cband>\n\t<Server>\n\t\t<uptime>", out);
    put_span(&document, snapshot->server.uptime_s > 0 ? snapshot->server.uptime_s : 0);
    fputs("</uptime>\n\t</Server>\n\t<Virtualhosts>\n", out);
    for (size_t i = 0; i < snapshot->host_count; i++) {
        put_host(&document, &snapshot->hosts[i]);
    }
    fputs("\t</Virtualhosts>\n\t<Users>\n", out);
    for (size_t i = 0; i < snapshot->user_count; i++) {
        put_user(&document, &snapshot->users[i]);
    }
    fputs("\t</Users>\n</mod_cband>", out);
    clean_text_free(&document.scratch);
}
