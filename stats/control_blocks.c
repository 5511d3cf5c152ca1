/* GET /blocks, POST /block and /unblock. Housekeeping thread. Always true: everybody cannot be blocked by one call. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "config/ipaddr.h"
#include "proxy/log.h"
#include "proxy/process_blocks.h"
#include "proxy/process_survey.h"
#include "stats/clean_text.h"
#include "stats/control_call.h"
#include "stats/snapshot.h"
#include "stats/take.h"

static json_t *text_or_null(struct clean_text *scratch, const char *text) {
    return text != NULL ? json_string(clean_text(scratch, text)) : json_null();
}

/* As an item of the status document's list. */
static void put(const struct stats_block *block, int64_t now_s, struct clean_text *scratch, FILE *out) {
    json_t *object = json_object();
    json_object_set_new(object, "address", json_string(block->address));
    json_object_set_new(object, "reason", text_or_null(scratch, block->reason));
    json_object_set_new(object, "virtualhost", text_or_null(scratch, block->host));
    json_object_set_new(object, "began", json_integer(block->began_s));
    json_object_set_new(object, "until", json_integer(block->until_s));
    json_object_set_new(object, "seconds_left", json_integer(block->until_s > now_s ? block->until_s - now_s : 0));
    json_object_set_new(object, "refused", json_integer((json_int_t)(block->refused & INT64_MAX)));
    json_object_set_new(object, "log_only", json_boolean(block->log_only));
    json_dumpf(object, out, JSON_COMPACT);
    json_decref(object);
}

void control_list_blocks(const struct control_call *call) {
    FILE *out = control_begin_document(call, "application/json");
    if (out == NULL) {
        return;
    }
    struct clean_text scratch = {0};
    struct stats_snapshot *snapshot = stats_snapshot_take(call->process);
    fputs("{\"blocks\": [", out);
    for (size_t i = 0; i < snapshot->block_count; i++) {
        fputs(i > 0 ? ",\n" : "\n", out);
        put(&snapshot->blocks[i], snapshot->server.now_s, &scratch, out);
    }
    fputs("\n]}\n", out);
    stats_snapshot_free(&snapshot);
    clean_text_free(&scratch);
    control_end_document(call, out);
}

/* ---- by hand ---- */

enum { SECONDS_DEFAULT = 600, SECONDS_MAX = 366 * 86400 };

static const char address_hint[] = "write address=192.0.2.7, address=192.0.2.0/24 or address=2001:db8::/64";

/* False: it is wrong, and that has been said. */
static bool read_address(const struct control_call *call, const char *value, struct ip_prefix *prefix) {
    if (!ip_prefix_parse(span_of(value), false, prefix)) {
        control_say(call, 400, "\"%s\" is no address: %s\n", value, address_hint);
        return false;
    }
    if (prefix->length == 0) {
        control_say(call, 400, "%s would be everybody: %s\n", value, address_hint);
        return false;
    }
    return true;
}

static bool read_seconds(const struct control_call *call, uint32_t *seconds) {
    char value[QUERY_VALUE_MAX];
    *seconds = SECONDS_DEFAULT;
    if (!control_parameter(call, "seconds", value)) {
        return true;
    }
    size_t digits = strspn(value, "0123456789");
    unsigned long number = digits > 0 && digits < 10 && value[digits] == '\0' ? strtoul(value, NULL, 10) : 0;
    if (number < 1 || number > SECONDS_MAX) {
        control_say(call, 400, "\"%s\" is no time: write seconds=N, from 1 to %d\n", value, (int)SECONDS_MAX);
        return false;
    }
    *seconds = (uint32_t)number;
    return true;
}

/* How many hosts refuse who is blocked. */
static size_t count_enabled(const struct config *config) {
    size_t count = 0;
    for (size_t i = 0; i < config->host_count; i++) {
        count += config->hosts[i]->burst.enabled;
    }
    return count;
}

void control_block(const struct control_call *call) {
    char value[QUERY_VALUE_MAX] = "", text[IP_TEXT_MAX + 4];
    struct ip_prefix prefix;
    uint32_t seconds;
    (void)control_parameter(call, "address", value);
    if (!read_address(call, value, &prefix) || !read_seconds(call, &seconds)) {
        return;
    }
    struct process_survey survey;
    process_survey(call->process, &survey);
    size_t enabled = count_enabled(survey.config);
    if (enabled == 0) {
        control_say(call, 409, "no host refuses who is blocked: write DOSEnabled On in the configuration\n");
        return;
    }
    if (!process_block(call->process, &prefix, seconds)) {
        control_say(call, 409, "there is no room for one more block\n");
        return;
    }
    ip_prefix_print(&prefix, text);
    log_notice("control socket: %s is blocked for %" PRIu32 " s", text, seconds);
    control_say(call, 200, "%s is blocked for %" PRIu32 " seconds, at %zu of %zu hosts%s\n", text, seconds, enabled,
                survey.config->host_count, enabled < survey.config->host_count ? ": those with DOSEnabled On" : "");
}

void control_unblock(const struct control_call *call) {
    char value[QUERY_VALUE_MAX] = "";
    struct ip_prefix prefix;
    (void)control_parameter(call, "address", value);
    bool is_all = strcmp(value, "all") == 0;
    if (!is_all && !read_address(call, value, &prefix)) {
        return;
    }
    size_t count = process_unblock(call->process, is_all ? NULL : &prefix);
    if (count == 0 && !is_all) {
        control_say(call, 404, "%s is not blocked; /blocks lists who is\n", value);
        return;
    }
    log_notice("control socket: %zu blocks of %s are over", count, value);
    control_say(call, 200, "%zu block%s ended\n", count, count == 1 ? "" : "s");
}
