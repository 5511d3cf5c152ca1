/* Reading mod_cband's scoreboard file. Called by keeper.c when a scoreboard is opened, on the housekeeping thread. */
#include "shaper/mod_cband_file.h"

#include <string.h>

enum { CLASSES_AT = 8, START_AT = 32, COUNT_DOWN_AT = 40, FLAG_AT = 48 };

static const uint64_t bytes_max = UINT64_C(1) << 60; /* nobody has sent an exbibyte */
static const int64_t clock_ahead_max_s = 86400;
static const int64_t count_down_max = INT32_MAX;

static uint64_t word_at(const void *bytes, size_t at) {
    uint64_t word;
    memcpy(&word, (const char *)bytes + at, sizeof word);
    return word;
}

bool mod_cband_file_read(const void *bytes, size_t length, int64_t now_s, struct mod_cband_file *file) {
    if (length != MOD_CBAND_FILE_BYTES) {
        return false;
    }
    struct mod_cband_file read = {.used_bytes = word_at(bytes, 0), .start_s = (int64_t)word_at(bytes, START_AT)};
    int64_t count_down = (int64_t)word_at(bytes, COUNT_DOWN_AT);
    int32_t flag;
    memcpy(&flag, (const char *)bytes + FLAG_AT, sizeof flag);
    bool is_plausible = read.used_bytes <= bytes_max && read.start_s >= 0 &&
                        read.start_s <= now_s + clock_ahead_max_s && count_down >= -count_down_max &&
                        count_down <= count_down_max && (flag == 0 || flag == 1);
    for (size_t i = 0; i < MOD_CBAND_CLASSES; i++) {
        read.class_used_bytes[i] = word_at(bytes, CLASSES_AT + 8 * i);
        is_plausible = is_plausible && read.class_used_bytes[i] <= read.used_bytes;
    }
    if (is_plausible) {
        *file = read;
    }
    return is_plausible;
}
