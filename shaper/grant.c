/* Pacing by reservation. Called by the proxy for each piece of a body that it moves, on the ticket's worker.
 *
 * Each speed over the ticket answers with a time for one quantum; the latest holds. Always true: a direction has at
 * most one reservation, the same in all its lanes or, while it is only noted, in none; what is not sent of it is given
 * back to each. */
#include "shaper/lane.h"
#include "shaper/shaper.h"
#include "shaper/ticket.h"

/* First bytes make nobody else wait for longer than this; two segments always fit. A small page may find more owed, so
 * that it does not wait behind the first bytes of bulk either. */
static const int64_t first_debt_ns = INT64_C(130000000), page_debt_ns = INT64_C(250000000);
enum { FIRST_BYTES_MAX = 16384, FIRST_BYTES_PER_S = 4, BITS_PER_BYTE = 8 };

/* While a speed may change at any byte, no more than this goes out before it is looked at again. */
enum { LOOK_AGAIN_BYTES = 16384 };

static const struct shaper_speeds *find_speeds(const struct shaper_ticket *ticket, enum shaper_direction direction,
                                               int64_t wall_s, struct shaper_speeds *room) {
    room->count = 0;
    room->slowest_bits_per_s = 0;
    if (ticket->dry_run) {
        return room;
    }
    if (direction == SHAPER_REQUEST_BODY) {
        ticket_add_speed(room, &ticket->host->upload, ticket->upload_bits_per_s);
    } else {
        ticket_find_speeds(ticket, ticket_exceeded(ticket, wall_s), room);
    }
    return room;
}

/* Those that hold now: kept with the ticket, or found and written to *room. */
static inline const struct shaper_speeds *speeds_now(const struct shaper_ticket *ticket,
                                                     enum shaper_direction direction, int64_t wall_s,
                                                     struct shaper_speeds *room) {
    bool are_kept = direction == SHAPER_RESPONSE && !ticket->follows_quota;
    return are_kept ? &ticket->speeds : find_speeds(ticket, direction, wall_s, room);
}

static bool was_made_at(const struct shaper_hold *hold, const struct shaper_speeds *speeds) {
    bool same = hold->lane_count == speeds->count;
    for (size_t i = 0; same && i < speeds->count; i++) {
        same = hold->lanes[i] == speeds->lanes[i] && hold->bits_per_s[i] == speeds->bits_per_s[i];
    }
    return same;
}

/* ---- how much ---- */

/* The smallest of the shares that the speeds leave to one connection, which has a turn in each already, or not;
 * UINT64_MAX: there are none. */
static uint64_t share_bytes_per_s(const struct shaper_speeds *speeds, bool has_turn) {
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < speeds->count; i++) {
        uint64_t share = lane_share_bytes_per_s(speeds->lanes[i], speeds->bits_per_s[i], has_turn);
        least = share < least ? share : least;
    }
    return least;
}

static uint64_t first_bytes(const struct shaper_speeds *speeds) {
    uint64_t share = speeds->slowest_bits_per_s / BITS_PER_BYTE / FIRST_BYTES_PER_S;
    uint64_t bytes = share < FIRST_BYTES_MAX ? share : FIRST_BYTES_MAX;
    return bytes > LANE_QUANTUM_MIN_BYTES ? bytes : LANE_QUANTUM_MIN_BYTES;
}

/* Where nothing is owed, FIRST_BYTES_MAX take less than first_debt_ns from this rate on. */
static const uint64_t plenty_bits_per_s = 1100000;

static bool all_are_free(const struct shaper_speeds *speeds, int64_t now_ns) {
    for (size_t i = 0; i < speeds->count; i++) {
        if (!lane_is_free(speeds->lanes[i], speeds->bits_per_s[i], now_ns)) {
            return false;
        }
    }
    return true;
}

/* What may be owed on top of the debts that there are; 0 when one of them is too large already. */
static uint64_t room_for_debt(const struct shaper_speeds *speeds, int64_t allowed_ns, int64_t now_ns) {
    uint64_t room = UINT64_MAX;
    for (size_t i = 0; i < speeds->count; i++) {
        int64_t left_ns = allowed_ns - lane_excess_debt_ns(speeds->lanes[i], speeds->bits_per_s[i], now_ns);
        if (left_ns < 0) {
            return 0;
        }
        uint64_t bytes = (uint64_t)((double)speeds->bits_per_s[i] / BITS_PER_BYTE * (double)left_ns / 1e9);
        room = bytes < room ? bytes : room;
    }
    return room > LANE_QUANTUM_MIN_BYTES ? room : LANE_QUANTUM_MIN_BYTES;
}

static inline void begin_response(struct shaper_ticket *ticket, uint64_t first) {
    ticket->has_begun = true;
    ticket->turns = (struct shaper_turns){.per_s = LANE_MANY_TURNS_PER_S};
    ticket->first_bytes = first;
}

/* The first bytes of a response go out at once and are owed, so that a small page does not wait behind the bulk. */
static bool takes_first_bytes(struct shaper_ticket *ticket, const struct shaper_speeds *speeds, int64_t now_ns,
                              uint64_t *bytes) {
    if (!ticket->has_begun) {
        begin_response(ticket, speeds->count > 0 ? first_bytes(speeds) : 0);
    }
    if (ticket->first_bytes == 0) {
        return false;
    }
    if (speeds->slowest_bits_per_s < plenty_bits_per_s || !all_are_free(speeds, now_ns)) {
        int64_t allowed_ns = *bytes <= LANE_QUANTUM_MIN_BYTES ? page_debt_ns : first_debt_ns;
        uint64_t room = room_for_debt(speeds, allowed_ns, now_ns);
        ticket->first_bytes = room < ticket->first_bytes ? room : ticket->first_bytes;
    }
    if (ticket->first_bytes == 0) {
        return false;
    }
    *bytes = ticket->first_bytes < *bytes ? ticket->first_bytes : *bytes;
    ticket->first_bytes -= *bytes;
    return true;
}

/* ---- the reservation ---- */

static void make_reservation(struct shaper_hold *hold, const struct shaper_speeds *speeds, uint64_t bytes,
                             int64_t now_ns) {
    hold->bytes = bytes;
    hold->at_ns = now_ns;
    hold->lane_count = speeds->count;
    for (size_t i = 0; i < speeds->count; i++) {
        hold->lanes[i] = speeds->lanes[i];
        hold->bits_per_s[i] = speeds->bits_per_s[i];
        hold->lane_at_ns[i] = lane_reserve(speeds->lanes[i], speeds->bits_per_s[i], bytes, now_ns);
        hold->at_ns = hold->lane_at_ns[i] > hold->at_ns ? hold->lane_at_ns[i] : hold->at_ns;
    }
}

/* The same for bytes that do not wait for their turn. */
static void take_at_once(struct shaper_hold *hold, const struct shaper_speeds *speeds, uint64_t bytes, int64_t now_ns) {
    hold->bytes = bytes;
    hold->at_ns = now_ns;
    hold->lane_count = speeds->count;
    for (size_t i = 0; i < speeds->count; i++) {
        hold->lanes[i] = speeds->lanes[i];
        hold->bits_per_s[i] = speeds->bits_per_s[i];
        hold->lane_at_ns[i] = now_ns;
        lane_hold_piece(speeds->lanes[i], speeds->bits_per_s[i], bytes, now_ns);
    }
}

static bool find_lane(const struct shaper_hold *hold, const struct lane *lane, size_t *found) {
    for (size_t i = 0; i < hold->lane_count; i++) {
        if (hold->lanes[i] == lane) {
            *found = i;
            return true;
        }
    }
    return false;
}

/* Limits have changed: the reservation moves with them. Lanes that hold no longer get it back, new ones are asked. */
static void move_reservation(struct shaper_hold *hold, const struct shaper_speeds *speeds, int64_t now_ns) {
    struct shaper_hold old = *hold;
    bool is_kept[SHAPER_SCOPES] = {false};
    hold->at_ns = now_ns;
    hold->lane_count = speeds->count;
    for (size_t i = 0; i < speeds->count; i++) {
        struct lane *lane = speeds->lanes[i];
        uint64_t bits_per_s = speeds->bits_per_s[i];
        size_t at = 0;
        if (find_lane(&old, lane, &at)) {
            is_kept[at] = true;
            hold->lane_at_ns[i] = lane_move(lane, old.bits_per_s[at], bits_per_s, old.lane_at_ns[at], now_ns);
        } else {
            hold->lane_at_ns[i] = lane_reserve(lane, bits_per_s, hold->bytes, now_ns);
        }
        hold->lanes[i] = lane;
        hold->bits_per_s[i] = bits_per_s;
        hold->at_ns = hold->lane_at_ns[i] > hold->at_ns ? hold->lane_at_ns[i] : hold->at_ns;
    }
    for (size_t i = 0; i < old.lane_count; i++) {
        if (!is_kept[i]) {
            lane_settle(old.lanes[i], old.bytes);
        }
    }
}

static inline void settle(struct shaper_hold *hold) {
    for (size_t i = 0; i < hold->lane_count; i++) {
        lane_settle(hold->lanes[i], hold->bytes);
    }
    hold->lane_count = 0;
    hold->bytes = 0;
    hold->is_noted = false;
}

/* ---- turns of a response ---- */

enum { TURN_MIN_NS = 1000000 };

/* The rate at which turns come: that of the share, or more where others leave of theirs. What the turn before had, over
 * the time until this one, tells; and the same of the turn before that, for turns among those of others are uneven. */
static void note_turn(struct shaper_turns *turns, uint64_t share, const struct shaper_hold *hold) {
    uint64_t measured = 0;
    if (turns->bytes > 0) {
        int64_t since_ns = hold->at_ns - turns->at_ns;
        measured = turns->bytes * 1000000000 / (uint64_t)(since_ns > TURN_MIN_NS ? since_ns : TURN_MIN_NS);
    }
    uint64_t most = measured > turns->measured_per_s ? measured : turns->measured_per_s;
    turns->bytes_per_s = most > share ? most : share;
    turns->measured_per_s = measured;
    turns->bytes = hold->bytes;
    turns->at_ns = hold->at_ns;
}

/* Where a speed became slower the turn is still one of the old line, which was stretched as a whole. */
static void note_moved_turn(struct shaper_turns *turns, uint64_t share, const struct shaper_hold *hold) {
    turns->bytes_per_s = turns->bytes_per_s > share ? turns->bytes_per_s : share;
    turns->at_ns = hold->at_ns;
}

static void take_turn(struct shaper_ticket *ticket, enum shaper_direction direction, const struct shaper_speeds *speeds,
                      uint64_t wanted_bytes, int64_t now_ns) {
    struct shaper_hold *hold = &ticket->holds[direction];
    if (speeds->count == 0) {
        make_reservation(hold, speeds, wanted_bytes, now_ns);
        return;
    }
    struct shaper_turns *turns = direction == SHAPER_RESPONSE ? &ticket->turns : NULL;
    uint64_t share = share_bytes_per_s(speeds, false);
    uint64_t bytes = lane_quantum_bytes(share, turns != NULL ? turns->per_s : LANE_MANY_TURNS_PER_S);
    make_reservation(hold, speeds, bytes < wanted_bytes ? bytes : wanted_bytes, now_ns);
    if (turns != NULL) {
        turns->per_s = turns->per_s / 2 > LANE_FEW_TURNS_PER_S ? turns->per_s / 2 : LANE_FEW_TURNS_PER_S;
        note_turn(turns, share, hold);
    }
}

/* The turn that the direction has, or a new one. */
__attribute__((noinline)) static struct shaper_grant find_turn(struct shaper_ticket *ticket,
                                                               enum shaper_direction direction, uint64_t wanted_bytes,
                                                               struct shaper_time now) {
    struct shaper_hold *hold = &ticket->holds[direction];
    struct shaper_speeds room;
    const struct shaper_speeds *speeds = speeds_now(ticket, direction, now.wall_s, &room);
    bool is_response = direction == SHAPER_RESPONSE;
    if (hold->is_noted) { /* it has not gone out at once */
        hold->is_noted = false;
        take_at_once(hold, speeds, hold->bytes, now.mono_ns);
    } else if (hold->bytes > 0 && !was_made_at(hold, speeds)) {
        move_reservation(hold, speeds, now.mono_ns);
        if (is_response) {
            note_moved_turn(&ticket->turns, share_bytes_per_s(speeds, true), hold);
        }
    } else if (hold->bytes == 0) {
        bool may_change = is_response && ticket->follows_quota;
        uint64_t bytes = may_change && wanted_bytes > LOOK_AGAIN_BYTES ? LOOK_AGAIN_BYTES : wanted_bytes;
        if (is_response && takes_first_bytes(ticket, speeds, now.mono_ns, &bytes)) {
            take_at_once(hold, speeds, bytes, now.mono_ns);
        } else {
            take_turn(ticket, direction, speeds, bytes, now.mono_ns);
        }
    }
    bool is_capped = speeds->count > 0;
    return (struct shaper_grant){
        .bytes = hold->bytes < wanted_bytes ? hold->bytes : wanted_bytes,
        .at_ns = hold->at_ns,
        .turns_bytes_per_s = is_capped && is_response ? ticket->turns.bytes_per_s : 0,
        .is_capped = is_capped,
    };
}

/* A small response that may go out whole, without any arithmetic: it is the first that its ticket asks for, and nothing
 * is owed. It is moved past each lane once, not twice: only noted here, and owed when it has gone. Until then, within
 * one run of its exchange, a worker beside this one may see the lanes without it. */
static inline bool is_small_and_free(const struct shaper_ticket *ticket, uint64_t wanted_bytes, int64_t now_ns) {
    return !ticket->has_begun && !ticket->follows_quota && wanted_bytes <= FIRST_BYTES_MAX &&
           ticket->speeds.slowest_bits_per_s >= plenty_bits_per_s && all_are_free(&ticket->speeds, now_ns);
}

struct shaper_grant shaper_reserve(struct shaper_ticket *ticket, const struct shaper_binding *current,
                                   enum shaper_direction direction, uint64_t wanted_bytes, struct shaper_time now) {
    if (ticket->generation != current->generation) {
        ticket_rebind(ticket, current, now);
    }
    if (ticket->is_uncapped) {
        return (struct shaper_grant){.bytes = wanted_bytes, .at_ns = now.mono_ns};
    }
    if (direction != SHAPER_RESPONSE || !is_small_and_free(ticket, wanted_bytes, now.mono_ns)) {
        return find_turn(ticket, direction, wanted_bytes, now);
    }
    begin_response(ticket, FIRST_BYTES_MAX - wanted_bytes);
    struct shaper_hold *hold = &ticket->holds[SHAPER_RESPONSE];
    hold->bytes = wanted_bytes;
    hold->at_ns = now.mono_ns;
    hold->is_noted = true;
    return (struct shaper_grant){.bytes = wanted_bytes, .at_ns = now.mono_ns};
}

/* Heads go out before their bodies' turns, and who takes no more than heads, on one new connection after the other, is
 * faster than any speed. What bytes beyond turns add to what everybody waits for has an end. */
static const int64_t owed_most_ns = INT64_C(5000000000);

/* Bytes that went out beyond the turn are owed to every lane, within that bound, however many; at least 1. */
static void owe(const struct shaper_speeds *speeds, uint64_t bytes, int64_t now_ns) {
    for (size_t i = 0; i < speeds->count; i++) {
        if (lane_excess_debt_ns(speeds->lanes[i], speeds->bits_per_s[i], now_ns) < owed_most_ns) {
            lane_owe(speeds->lanes[i], speeds->bits_per_s[i], bytes, now_ns);
        }
    }
}

/* All of a small response, head and body, that was only noted. */
static inline void owe_small(const struct shaper_speeds *speeds, uint64_t bytes, int64_t now_ns) {
    for (size_t i = 0; i < speeds->count; i++) {
        lane_owe_piece(speeds->lanes[i], speeds->bits_per_s[i], bytes, now_ns);
    }
}

/* A turn of which something is left, or that was taken from the lanes before. */
__attribute__((noinline)) static void charge_turn(struct shaper_ticket *ticket, enum shaper_direction direction,
                                                  uint64_t bytes, struct shaper_time now) {
    struct shaper_hold *hold = &ticket->holds[direction];
    bool was_noted = hold->is_noted;
    uint64_t left = bytes < hold->bytes ? hold->bytes - bytes : 0, held = was_noted ? 0 : hold->bytes;
    struct shaper_speeds room;
    const struct shaper_speeds *speeds = NULL;
    if (bytes > held || was_noted) {
        speeds = speeds_now(ticket, direction, now.wall_s, &room);
    }
    if (bytes > held) {
        owe(speeds, bytes - held, now.mono_ns);
    }
    hold->bytes = left;
    hold->is_noted = false;
    if (left == 0) {
        settle(hold);
    } else if (was_noted) { /* what has not gone at once is held from now on */
        take_at_once(hold, speeds, left, now.mono_ns);
    }
}

void shaper_charge(struct shaper_ticket *ticket, enum shaper_direction direction, uint64_t bytes,
                   struct shaper_time now) {
    if (direction == SHAPER_RESPONSE) {
        ticket_count_sent(ticket, bytes, now.wall_s);
    }
    if (ticket->is_uncapped) {
        return;
    }
    struct shaper_hold *hold = &ticket->holds[direction];
    bool is_whole = hold->is_noted && bytes >= hold->bytes && bytes <= LANE_OWED_AT_ONCE_BYTES;
    if (!is_whole || ticket->follows_quota) {
        charge_turn(ticket, direction, bytes, now);
        return;
    }
    hold->bytes = 0; /* all that was noted has gone */
    hold->is_noted = false;
    owe_small(&ticket->speeds, bytes, now.mono_ns);
}

void shaper_return(struct shaper_ticket *ticket, enum shaper_direction direction) {
    settle(&ticket->holds[direction]);
}
