/* Dropping privileges. Called by process.c at start. Invariant: after true with a User other than root, no privilege is
 * left that could be got back, and none at all but CAP_NET_ADMIN where DOSFirewall needs it. */
#include "proxy/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/capability.h"

struct identity {
    const char *name; /* of the user, for its supplementary groups; NULL: a number without a name */
    uid_t uid;
    gid_t gid;
};

__attribute__((format(printf, 2, 3))) static bool say(char **text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(text, format, arguments) < 0) {
        *text = NULL;
    }
    va_end(arguments);
    return false;
}

/* Apache's "#1000". */
static bool parse_number(const char *text, unsigned *number) {
    char *end;
    errno = 0;
    if (text[0] != '#' || text[1] < '0' || text[1] > '9') {
        return false;
    }
    unsigned long value = strtoul(text + 1, &end, 10);
    *number = (unsigned)value;
    return errno == 0 && *end == '\0' && value < 0xFFFFFFFFUL;
}

static bool find_identity(const struct server_settings *server, struct identity *identity, char **error) {
    *identity = (struct identity){NULL, geteuid(), getegid()};
    unsigned number;
    if (server->user != NULL) {
        bool numeric = parse_number(server->user, &number);
        const struct passwd *user = numeric ? getpwuid((uid_t)number) : getpwnam(server->user);
        if (user == NULL && !numeric) {
            return say(error, "User %s: there is no such user (getent passwd lists them)", server->user);
        }
        identity->uid = user != NULL ? user->pw_uid : (uid_t)number;
        identity->gid = user != NULL ? user->pw_gid : identity->gid;
        identity->name = user != NULL ? user->pw_name : NULL;
    }
    if (server->group != NULL) {
        bool numeric = parse_number(server->group, &number);
        const struct group *group = numeric ? NULL : getgrnam(server->group);
        if (group == NULL && !numeric) {
            return say(error, "Group %s: there is no such group (getent group lists them)", server->group);
        }
        identity->gid = group != NULL ? group->gr_gid : (gid_t)number;
    }
    return true;
}

/* By descriptor and without following links: the folder may belong to somebody else. */
static void give_file(const char *path, const struct identity *identity) {
    int fd =
        path != NULL && path[0] == '/' ? open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1;
    if (fd < 0) {
        return;
    }
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1) {
        (void)!fchown(fd, identity->uid, identity->gid);
    }
    close(fd);
}

static void give_files(const struct config *config, const struct identity *identity) {
    if (config->server.log_target == LOG_TO_FILE) {
        give_file(config->server.log_path, identity);
    }
    give_file(config->server.pid_file, identity);
    for (size_t i = 0; i < config->host_count; i++) {
        const struct virtual_host *host = config->hosts[i];
        for (size_t k = 0; k < host->access_log_count; k++) {
            give_file(host->access_logs[k].path, identity);
        }
    }
}

/* What needs a privilege after the start. */
struct needs {
    bool net_admin;    /* DOSFirewall */
    bool set_user_ids; /* mails and commands: sendmail, sudo and their like are set-user-ID or set-group-ID programs */
};

static struct needs find_needs(const struct config *config) {
    struct needs needs = {.net_admin = config->server.burst.firewall_family != FIREWALL_NONE};
    for (size_t i = 0; i < config->host_count; i++) {
        const struct burst_limits *burst = &config->hosts[i]->burst;
        needs.set_user_ids = needs.set_user_ids || burst->email != NULL || burst->system_command != NULL;
    }
    return needs;
}

static bool become(const struct identity *identity, struct needs needs, char **error) {
    bool keeps = needs.net_admin && identity->uid != 0 && capability_hold();
    bool worked =
        (identity->name != NULL ? initgroups(identity->name, identity->gid) : setgroups(1, &identity->gid)) == 0 &&
        setresgid(identity->gid, identity->gid, identity->gid) == 0 &&
        setresuid(identity->uid, identity->uid, identity->uid) == 0;
    if (!worked) {
        return say(error, "cannot become user %u, group %u: %s", (unsigned)identity->uid, (unsigned)identity->gid,
                   strerror(errno));
    }
    if (identity->uid != 0 && !capability_settle(keeps) && keeps) {
        return say(error, "cannot keep CAP_NET_ADMIN, which DOSFirewall needs: %s", strerror(errno));
    }
    if (identity->uid != 0 && setuid(0) == 0) {
        return say(error, "privileges could be got back after they were dropped; refusing to run");
    }
    if (!needs.set_user_ids) {
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
    return true;
}

bool privileges_drop(const struct config *config, char **error, char **notice) {
    const struct server_settings *server = &config->server;
    *error = *notice = NULL;
    if (server->user == NULL && server->group == NULL) {
        return true;
    }
    struct identity identity;
    if (!find_identity(server, &identity, error)) {
        return false;
    }
    struct needs needs = find_needs(config);
    if (geteuid() == identity.uid && getegid() == identity.gid) { /* as after USR2 */
        if (geteuid() != 0) {
            capability_keep_from_children(needs.net_admin);
        }
        return true;
    }
    if (geteuid() != 0) {
        say(notice, "User and Group have no effect: weir was not started by root");
        return true;
    }
    give_files(config, &identity);
    return become(&identity, needs, error);
}
