/* Blocked addresses as a snapshot shows them, and which of its clients are among them. Housekeeping thread. */
#include <stdlib.h>
#include <string.h>

#include "shaper/shaper.h"
#include "stats/take_parts.h"

static const char *print_blocked(struct arena *arena, const struct ip_prefix *blocked) {
    char text[IP_TEXT_MAX + 4];
    if (blocked->length == (blocked->address.family == IP_V4 ? 32 : 128)) {
        ip_address_print(&blocked->address, text);
    } else {
        ip_prefix_print(blocked, text);
    }
    return arena_strdup(arena, text);
}

/* The newest first. */
static int compare_begin(const void *left, const void *right) {
    const struct burst_block *a = left, *b = right;
    if (a->began_wall_s != b->began_wall_s) {
        return a->began_wall_s > b->began_wall_s ? -1 : 1;
    }
    return memcmp(a->blocked.address.bytes, b->blocked.address.bytes, sizeof a->blocked.address.bytes);
}

static void show(struct arena *arena, const struct process_survey *survey, const struct burst_block *block,
                 struct stats_block *shown) {
    const char *host = block->host_id != BURST_NO_HOST ? burst_host_name(survey->burst, block->host_id) : NULL;
    *shown = (struct stats_block){
        .address = print_blocked(arena, &block->blocked),
        .reason = burst_reason_text(block->reason),
        .host = host != NULL ? arena_strdup(arena, host) : NULL,
        .began_s = block->began_wall_s,
        .until_s = block->until_wall_s,
        .refused = block->refused,
        .log_only = block->log_only,
    };
}

/* ---- clients ---- */

static int compare_texts(const void *left, const void *right) {
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

/* A client and its block are written alike, unless the block is a wide one, made by hand: of those there are few. */
static void mark_clients(struct stats_snapshot *snapshot, struct stats_client *clients) {
    const char **addresses = must_calloc(snapshot->block_count, sizeof *addresses);
    for (size_t i = 0; i < snapshot->block_count; i++) {
        addresses[i] = snapshot->blocks[i].address;
    }
    qsort(addresses, snapshot->block_count, sizeof *addresses, compare_texts);
    for (size_t i = 0; i < snapshot->client_count; i++) {
        clients[i].is_blocked =
            bsearch(&clients[i].address, addresses, snapshot->block_count, sizeof *addresses, compare_texts) != NULL;
    }
    free(addresses);
}

static void mark_inside(struct stats_snapshot *snapshot, struct stats_client *clients, const struct ip_prefix *wide) {
    for (size_t i = 0; i < snapshot->client_count; i++) {
        struct ip_prefix client;
        if (ip_prefix_parse(span_of(clients[i].address), false, &client)) {
            clients[i].is_blocked |= client.length >= wide->length && ip_prefix_contains(wide, &client.address);
        }
    }
}

void take_blocks(struct stats_snapshot *snapshot, const struct process_survey *survey, struct stats_client *clients) {
    struct burst_block_list list = {0};
    burst_blocks(survey->burst, (struct shaper_time){survey->now_ns, survey->now_wall_s}, &list);
    if (list.count > 0) {
        qsort(list.blocks, list.count, sizeof *list.blocks, compare_begin);
    }
    struct stats_block *blocks = arena_alloc(&snapshot->arena, list.count * sizeof *blocks + 1);
    for (size_t i = 0; i < list.count; i++) {
        show(&snapshot->arena, survey, &list.blocks[i], &blocks[i]);
    }
    snapshot->blocks = blocks;
    snapshot->block_count = list.count;
    mark_clients(snapshot, clients);
    for (size_t i = 0; i < list.count; i++) {
        const struct ip_prefix *blocked = &list.blocks[i].blocked;
        bool is_wide = blocked->length < (blocked->address.family == IP_V4 ? 32 : 64);
        if (is_wide) {
            mark_inside(snapshot, clients, blocked);
        }
    }
    burst_block_list_clear(&list);
}

void take_block_counts(struct stats_snapshot *snapshot, const struct burst_counts *counts) {
    struct stats_server *server = &snapshot->server;
    _Static_assert((int)BURST_REASONS <= (int)(sizeof server->blocks_total / sizeof server->blocks_total[0]),
                   "there is room for every reason");
    for (size_t i = BURST_REASON_NONE + 1; i < BURST_REASONS; i++) {
        server->blocks_total[i] = counts->blocks_total[i];
        server->block_reasons[i] = burst_reason_text((enum burst_reason)i);
    }
}
