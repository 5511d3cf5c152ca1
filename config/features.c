/* What this build does beyond plain proxying. Directives of a feature that is not here yet are read and checked like
 * all others, and then refused (check.c): a configuration must never mean less than it says. Pure. */
#include "config/directive.h"

static const struct {
    bool available;
    const char *text; /* completes "this build does not … yet" */
} features[FEATURE_COUNT] = {
    [FEATURE_READY] = {true, "do this"},         [FEATURE_SHAPING] = {true, "shape traffic"},
    [FEATURE_BLOCKING] = {true, "block bursts"}, [FEATURE_STATUS] = {false, "show its state"},
    [FEATURE_TLS] = {true, "speak TLS"},         [FEATURE_SLOW_READER] = {true, "watch for slow readers"},
};

bool feature_available(enum feature feature) {
    return features[feature].available;
}

const char *feature_text(enum feature feature) {
    return features[feature].text;
}
