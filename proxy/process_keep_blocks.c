/* Blocks in the state file. Housekeeping thread; called by process_blocks.c for what happens, by process_keep.c to
 * write. Always true: what the table says is what held at some moment of the last second, as long as writing works. */
#include "proxy/process_keep_blocks.h"

#include <stdlib.h>

#include "proxy/log.h"
#include "proxy/process_blocks.h"
#include "proxy/process_state.h"
#include "shaper/keeper.h"
#include "shaper/state_database.h"

enum { RESTORED_MAX = 1000000, CHANGES_MAX = 100000, LOOKED_AT_MAX = 1000 };

/* ---- what has changed ---- */

/* Without a state file nothing is noted; with too much to note, all is written next. */
static void note(struct process *process, const struct burst_block *block, bool is_over) {
    struct kept_blocks *kept = &process->kept_blocks;
    if (process->generation->config->server.state_file == NULL || !kept->has_written) {
        return;
    }
    if (kept->count >= CHANGES_MAX) {
        kept->has_written = false;
        return;
    }
    if (kept->count == kept->room) {
        kept->room = kept->room > 0 ? kept->room * 2 : 64;
        kept->changes = must_realloc(kept->changes, kept->room * sizeof *kept->changes);
    }
    kept->changes[kept->count++] = (struct kept_change){*block, is_over};
}

void process_keep_block(struct process *process, const struct burst_block *block) {
    note(process, block, false);
}

void process_keep_ended_blocks(struct process *process, const struct burst_block_list *ended) {
    for (size_t i = 0; i < ended->count; i++) {
        note(process, &ended->blocks[i], true);
    }
}

/* ---- writing ---- */

static void put(struct process *process, struct state_database *database, const struct burst_block *block) {
    char address[IP_TEXT_MAX], client[IP_TEXT_MAX];
    ip_address_print(&block->blocked.address, address);
    ip_address_print(&block->client, client);
    const struct state_block row = {
        .address = address,
        .prefix_bits = block->blocked.length,
        .until_s = block->until_wall_s,
        .reason = burst_reason_text(block->reason),
        .host = block->host_id != BURST_NO_HOST ? burst_host_name(process->burst, block->host_id) : "",
        .client = client,
        .began_s = block->began_wall_s,
        .period_s = block->period_s,
        .log_only = block->log_only,
    };
    state_database_put_block(database, &row);
}

/* The same whatever the order; the number of refused requests is not written, and not part of it. */
static uint64_t fingerprint_of(const struct burst_block_list *blocks) {
    static const struct siphash_key key = {{1, 2}};
    uint64_t sum = blocks->count;
    for (size_t i = 0; i < blocks->count; i++) {
        const struct burst_block *block = &blocks->blocks[i];
        uint8_t bytes[sizeof block->blocked.address.bytes + 1 + sizeof block->until_wall_s];
        memcpy(bytes, block->blocked.address.bytes, sizeof block->blocked.address.bytes);
        bytes[sizeof block->blocked.address.bytes] = block->blocked.length;
        memcpy(bytes + sizeof block->blocked.address.bytes + 1, &block->until_wall_s, sizeof block->until_wall_s);
        sum += siphash(&key, bytes, sizeof bytes);
    }
    return sum;
}

static void put_all(struct process *process, struct state_database *database, const struct burst_block_list *blocks) {
    state_database_drop_old_blocks(database, INT64_MAX);
    for (size_t i = 0; i < blocks->count; i++) {
        put(process, database, &blocks->blocks[i]);
    }
}

static void put_changes(struct process *process, struct state_database *database) {
    for (size_t i = 0; i < process->kept_blocks.count; i++) {
        const struct kept_change *change = &process->kept_blocks.changes[i];
        if (change->is_over) {
            char address[IP_TEXT_MAX];
            ip_address_print(&change->block.blocked.address, address);
            state_database_drop_block(database, address, change->block.blocked.length);
        } else {
            put(process, database, &change->block);
        }
    }
}

/* blocks NULL: what was noted. */
static void write_rows(struct process *process, const struct burst_block_list *blocks) {
    struct kept_blocks *kept = &process->kept_blocks;
    struct state_database *database = keeper_state_file(process->keeper);
    if (database == NULL || state_database_begin(database) != STATE_DONE) {
        kept->has_written = false; /* the keeper says what is wrong with the file, and tries again */
        return;
    }
    if (blocks != NULL) {
        put_all(process, database, blocks);
    } else {
        put_changes(process, database);
    }
    kept->has_written = state_database_commit(database) == STATE_DONE;
}

void process_write_blocks(struct process *process) {
    struct kept_blocks *kept = &process->kept_blocks;
    if (process->generation->config->server.state_file == NULL) {
        return;
    }
    if (!kept->has_written || burst_counts(process->burst).blocks <= LOOKED_AT_MAX) {
        struct burst_block_list blocks = {0};
        burst_blocks(process->burst, process_time(), &blocks);
        uint64_t fingerprint = fingerprint_of(&blocks);
        if (!kept->has_written || fingerprint != kept->fingerprint) {
            write_rows(process, &blocks);
            kept->fingerprint = fingerprint;
        }
        burst_block_list_clear(&blocks);
    } else if (kept->count > 0) {
        write_rows(process, NULL);
        kept->fingerprint = 0;
    }
    kept->count = 0;
}

void process_free_kept_blocks(struct process *process) {
    free(process->kept_blocks.changes);
    process->kept_blocks = (struct kept_blocks){0};
}

/* ---- reading ---- */

static uint32_t host_id_of(const struct process *process, const char *name) {
    const struct generation *generation = process->generation;
    for (size_t i = 0; i < generation->config->host_count && name[0] != '\0'; i++) {
        const char *known = burst_host_name(process->burst, generation->burst_host_ids[i]);
        if (known != NULL && strcmp(known, name) == 0) {
            return generation->burst_host_ids[i];
        }
    }
    return BURST_NO_HOST;
}

/* A row that somebody else wrote may say anything: what is no block is passed over. */
static bool read_block(const struct process *process, const struct state_block *row, struct burst_block *block) {
    *block = (struct burst_block){
        .reason = burst_reason_parse(span_of(row->reason)),
        .host_id = host_id_of(process, row->host),
        .period_s = row->period_s,
        .log_only = row->log_only,
        .began_wall_s = row->began_s,
        .until_wall_s = row->until_s,
    };
    struct ip_address address;
    if (block->reason == BURST_REASON_NONE || !ip_address_parse(span_of(row->address), &address) ||
        row->prefix_bits > (address.family == IP_V4 ? 32U : 128U)) {
        return false;
    }
    block->blocked = (struct ip_prefix){ip_address_mask(&address, row->prefix_bits), (uint8_t)row->prefix_bits};
    if (!ip_address_parse(span_of(row->client), &block->client)) {
        block->client = block->blocked.address;
    }
    return true;
}

void process_restore_blocks(struct process *process) {
    struct state_database *database = keeper_state_file(process->keeper);
    if (database == NULL) {
        return;
    }
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t count = 0, restored = 0;
    enum state_result result;
    struct state_block *rows =
        state_database_read_blocks(database, &arena, process_time().wall_s, RESTORED_MAX, &count, &result);
    for (size_t i = 0; i < count; i++) {
        struct burst_block block;
        restored += read_block(process, &rows[i], &block) && process_restore_block(process, &block);
    }
    if (restored > 0) {
        log_notice("%zu blocks from before go on", restored);
    }
    free(rows);
    arena_reset(&arena);
}
