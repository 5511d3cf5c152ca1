/* Rates of one client. Called for each piece of a body, and for status documents. */
#include "shaper/client_meter.h"

#include <stdbool.h>

enum { WINDOW_S = 10 };

static unsigned window_at(int64_t now_s) {
    return (unsigned)(now_s / WINDOW_S);
}

static void begin_window(struct client_meter *meter, unsigned window) {
    unsigned old = atomic_load_explicit(&meter->window, memory_order_relaxed);
    if (old == window || !atomic_compare_exchange_strong_explicit(&meter->window, &old, window, memory_order_relaxed,
                                                                  memory_order_relaxed)) {
        return;
    }
    uint64_t bytes = atomic_exchange_explicit(&meter->bytes, 0, memory_order_relaxed);
    unsigned requests = atomic_exchange_explicit(&meter->requests, 0, memory_order_relaxed);
    bool follows = window == old + 1;
    atomic_store_explicit(&meter->bytes_before, follows ? bytes : 0, memory_order_relaxed);
    atomic_store_explicit(&meter->requests_before, follows ? requests : 0, memory_order_relaxed);
}

void client_meter_count(struct client_meter *meter, uint64_t bytes, unsigned requests, int64_t now_s) {
    begin_window(meter, window_at(now_s));
    atomic_fetch_add_explicit(&meter->bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&meter->requests, requests, memory_order_relaxed);
}

struct client_rates client_meter_rates(const struct client_meter *meter, int64_t now_s) {
    unsigned window = atomic_load_explicit(&meter->window, memory_order_relaxed), present = window_at(now_s);
    double bytes = (double)atomic_load_explicit(&meter->bytes, memory_order_relaxed);
    double requests = (double)atomic_load_explicit(&meter->requests, memory_order_relaxed);
    double older_part = (double)(WINDOW_S - now_s % WINDOW_S) / WINDOW_S;
    if (window == present) {
        bytes += older_part * (double)atomic_load_explicit(&meter->bytes_before, memory_order_relaxed);
        requests += older_part * (double)atomic_load_explicit(&meter->requests_before, memory_order_relaxed);
    } else if (window + 1 == present) {
        bytes *= older_part;
        requests *= older_part;
    } else {
        bytes = requests = 0;
    }
    return (struct client_rates){bytes / WINDOW_S, requests / WINDOW_S};
}
