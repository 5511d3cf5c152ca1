/* Arithmetic over RLIMIT_NOFILE. Called by process.c and reload.c on the housekeeping thread. */
#include "proxy/open_files.h"

#include <sys/resource.h>

enum {
    LIMIT_MAX = 1048576,  /* tables of the event loops grow with the highest descriptor */
    FOR_THE_PROCESS = 32, /* log, look-ups, notify, the pipe of an upgrade … */
    FOR_A_WORKER = 16,    /* epoll, wake-up, spare pipes */
    FOR_A_CONNECTION = 2, /* the client's and the origin's */
    FOR_A_DATABASE = 5,   /* file, log, index of the log, lock, and one while it is opened */
    CONNECTIONS_MIN = 1,
};

size_t open_files_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    rlim_t wanted = limit.rlim_max < LIMIT_MAX ? limit.rlim_max : LIMIT_MAX;
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = {.rlim_cur = wanted, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            limit.rlim_cur = wanted;
        }
    }
    return limit.rlim_cur < LIMIT_MAX ? (size_t)limit.rlim_cur : LIMIT_MAX;
}

static size_t databases(const struct config *config) {
    size_t count = config->server.state_file != NULL;
    for (size_t i = 0; i < config->host_count; i++) {
        count += config->hosts[i]->limits.traffic.scoreboard != NULL;
    }
    for (size_t i = 0; i < config->user_count; i++) {
        count += config->users[i].traffic.scoreboard != NULL;
    }
    return count;
}

size_t open_files_connections(const struct config *config, unsigned workers, size_t limit, size_t *short_of) {
    size_t logs = 1;
    for (size_t i = 0; i < config->host_count; i++) {
        logs += config->hosts[i]->access_log_count;
    }
    size_t others =
        FOR_THE_PROCESS + logs + databases(config) * FOR_A_DATABASE + workers * (FOR_A_WORKER + config->listener_count);
    size_t room = limit > others ? (limit - others) / FOR_A_CONNECTION : 0;
    *short_of = 0;
    if (config->server.max_connections == 0) {
        return room > CONNECTIONS_MIN ? room : CONNECTIONS_MIN;
    }
    size_t wanted = config->server.max_connections;
    if (wanted > room) {
        *short_of = others + wanted * FOR_A_CONNECTION;
    }
    return wanted;
}
