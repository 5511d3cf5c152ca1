/* Resets. Called by housekeeping for the status page and weirctl; quotas guard themselves. */
#include "shaper/reset.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shaper/binding.h"
#include "shaper/shaper.h"

static bool is_meant(const struct virtual_host *host, const char *name) {
    const char *own = shaper_host_name(host);
    size_t length = strlen(own);
    if (strcmp(name, "all") == 0 || strcasecmp(name, own) == 0) {
        return true;
    }
    char rest[32];
    snprintf(rest, sizeof rest, ":%u:%u", host->port, host->is_main ? 0 : host->place.line);
    return strncasecmp(name, own, length) == 0 && strcmp(name + length, rest) == 0;
}

size_t shaper_reset_hosts(const struct shaper_binding *binding, const char *name, int64_t wall_s) {
    size_t count = 0;
    for (size_t i = 0; i < binding->config->host_count; i++) {
        if (is_meant(binding->config->hosts[i], name)) {
            quota_reset(&binding->hosts[i].record->quota, wall_s);
            count++;
        }
    }
    return count;
}

size_t shaper_reset_users(const struct shaper_binding *binding, const char *name, int64_t wall_s) {
    size_t count = 0;
    for (size_t i = 0; i < binding->config->user_count; i++) {
        if (strcmp(name, "all") == 0 || strcmp(name, binding->config->users[i].name) == 0) {
            quota_reset(&binding->user_records[i]->quota, wall_s);
            count++;
        }
    }
    return count;
}
