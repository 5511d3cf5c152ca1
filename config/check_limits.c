/* CBand* and DOS* when all lines have been read: defaults, what hosts take from the server, users and classes by name.
 *
 * Called once by the loader, after config->users and config->classes stand. Afterwards every class quota and class
 * speed points to its class and every host with a CBandUser to its user, or an error has been reported. */
#include <stdlib.h>
#include <string.h>

#include "config/directive.h"

/* Everything here belongs to the configuration's arena, and nobody else reads it before the load ends. */
static void *while_loading(const void *list) {
    void *writable;
    memcpy(&writable, &list, sizeof writable);
    return writable;
}

/* ---- names ------------------------------------------------------------ */

struct named {
    const char *name;
    size_t index; /* in config->users or config->classes */
    const struct place *place;
};

struct names {
    struct named *items; /* by name without regard to case, then by name, then in file order */
    size_t count;
    const char *
        *known; /* the names alone, NULL at the end: to find the nearest; NULL when there are too many for that */
};

enum { NEAREST_OF_MOST = 1000 };

static int compare_named(const void *a, const void *b) {
    const struct named *left = a;
    const struct named *right = b;
    int order = strcasecmp(left->name, right->name);
    if (order == 0) {
        order = strcmp(left->name, right->name);
    }
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static void sort_names(struct parser *parser, struct names *names, const char *section) {
    if (names->count > 0) {
        qsort(names->items, names->count, sizeof *names->items, compare_named);
    }
    if (names->count <= NEAREST_OF_MOST) {
        names->known = arena_alloc(parser_arena(parser), (names->count + 1) * sizeof(char *));
        for (size_t i = 0; i < names->count; i++) {
            names->known[i] = names->items[i].name;
        }
    }
    for (size_t i = 1; i < names->count; i++) {
        const struct named *before = &names->items[i - 1];
        const struct named *item = &names->items[i];
        if (item->name[0] != '\0' && strcmp(before->name, item->name) == 0) {
            parser_error_place(parser, item->place, section, "put all its lines into one section",
                               "\"%s\" is defined already in line %u of %s", item->name, before->place->line,
                               before->place->file);
        }
    }
}

/* The item of exactly this name, or else the first that differs only in case; NULL: none. */
static const struct named *find_name(const struct names *names, const char *name) {
    size_t from = 0;
    size_t to = names->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcasecmp(names->items[middle].name, name) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    const struct named *other_case = NULL;
    for (size_t i = from; i < names->count && strcasecmp(names->items[i].name, name) == 0; i++) {
        if (strcmp(names->items[i].name, name) == 0) {
            return &names->items[i];
        }
        other_case = other_case != NULL ? other_case : &names->items[i];
    }
    return other_case;
}

/* find_name() with its messages. `what`: "user" or "class"; `said_by`: the directive that uses the name. */
static const struct named *look_up(struct parser *parser, const struct names *names, const char *name,
                                   const struct place *place, const char *what, const char *said_by) {
    const struct named *found = find_name(names, name);
    if (found == NULL) {
        const char *section = strcmp(what, "user") == 0 ? "<CBandUser name>" : "<CBandClass name>";
        const char *hint = arena_printf(parser_arena(parser), "define it outside of all hosts with %s", section);
        const char *nearest = names->known != NULL ? nearest_word(span_of(name), names->known) : NULL;
        if (nearest != NULL) {
            hint = arena_printf(parser_arena(parser), "did you mean \"%s\"?", nearest);
        }
        parser_error_place(parser, place, said_by, hint, "there is no %s \"%s\"", what, name);
    } else if (strcmp(found->name, name) != 0) {
        parser_warn_place(parser, place, said_by, "write the name in the same way in both places",
                          "%s \"%s\" is taken as \"%s\", which differs only in case", what, name, found->name);
    }
    return found;
}

static struct names user_names(struct parser *parser) {
    const struct config *config = parser_config(parser);
    struct names names = {.count = config->user_count};
    names.items = arena_alloc(parser_arena(parser), (names.count + 1) * sizeof *names.items);
    for (size_t i = 0; i < names.count; i++) {
        names.items[i] = (struct named){config->users[i].name, i, &config->users[i].place};
    }
    sort_names(parser, &names, "CBandUser");
    return names;
}

static struct names class_names(struct parser *parser) {
    const struct config *config = parser_config(parser);
    struct names names = {.count = config->class_count};
    names.items = arena_alloc(parser_arena(parser), (names.count + 1) * sizeof *names.items);
    for (size_t i = 0; i < names.count; i++) {
        names.items[i] = (struct named){config->classes[i].name, i, &config->classes[i].place};
    }
    sort_names(parser, &names, "CBandClass");
    return names;
}

/* ---- classes ------------------------------------------------------------ */

struct owned_prefix {
    struct ip_prefix prefix;
    size_t owner; /* index of the class */
};

static int compare_owned(const void *a, const void *b) {
    const struct owned_prefix *left = a;
    const struct owned_prefix *right = b;
    int order = (int)left->prefix.address.family - (int)right->prefix.address.family;
    if (order == 0) {
        order = memcmp(left->prefix.address.bytes, right->prefix.address.bytes, sizeof left->prefix.address.bytes);
    }
    if (order == 0) {
        order = (int)left->prefix.length - (int)right->prefix.length;
    }
    return order != 0 ? order : (left->owner > right->owner) - (left->owner < right->owner);
}

static void warn_of_shared_prefixes(struct parser *parser, const struct owned_prefix *prefixes, size_t count) {
    const struct config *config = parser_config(parser);
    for (size_t i = 1; i < count; i++) {
        const struct owned_prefix *before = &prefixes[i - 1];
        const struct owned_prefix *item = &prefixes[i];
        bool same = before->prefix.length == item->prefix.length &&
                    ip_address_equal(&before->prefix.address, &item->prefix.address);
        if (same && before->owner != item->owner) {
            char text[IP_TEXT_MAX + 4];
            ip_prefix_print(&item->prefix, text);
            parser_warn_place(parser, &config->classes[item->owner].place, "CBandClassDst",
                              "keep it in one of the two classes",
                              "%s is in class \"%s\" and in class \"%s\": the later one holds", text,
                              config->classes[before->owner].name, config->classes[item->owner].name);
        }
    }
}

static void check_classes(struct parser *parser) {
    const struct config *config = parser_config(parser);
    size_t total = 0;
    for (size_t i = 0; i < config->class_count; i++) {
        total += config->classes[i].prefix_count;
        if (!config->classes[i].said) {
            parser_warn_place(parser, &config->classes[i].place, "CBandClass",
                              "write CBandClassDst lines into it, e.g. CBandClassDst 192.0.2.0/24",
                              "class \"%s\" has no addresses: no client is in it", config->classes[i].name);
        }
    }
    struct owned_prefix *all = must_calloc(total + 1, sizeof *all);
    size_t count = 0;
    for (size_t i = 0; i < config->class_count; i++) {
        for (size_t j = 0; j < config->classes[i].prefix_count; j++) {
            all[count++] = (struct owned_prefix){config->classes[i].prefixes[j], i};
        }
    }
    qsort(all, count, sizeof *all, compare_owned);
    warn_of_shared_prefixes(parser, all, count);
    free(all);
}

static void resolve_classes(struct parser *parser, const struct names *names, const struct traffic_limits *traffic,
                            bool user) {
    const struct config *config = parser_config(parser);
    struct class_quota *quotas = while_loading(traffic->class_quotas);
    for (size_t i = 0; i < traffic->class_quota_count; i++) {
        const struct named *found = look_up(parser, names, quotas[i].name, &quotas[i].place, "class",
                                            user ? "CBandUserClassLimit" : "CBandClassLimit");
        quotas[i].class = found != NULL ? &config->classes[found->index] : NULL;
    }
    struct class_speed *speeds = while_loading(traffic->class_speeds);
    for (size_t i = 0; i < traffic->class_speed_count; i++) {
        const struct named *found = look_up(parser, names, speeds[i].name, &speeds[i].place, "class",
                                            user ? "CBandUserClassRemoteSpeed" : "CBandClassRemoteSpeed");
        speeds[i].class = found != NULL ? &config->classes[found->index] : NULL;
    }
}

/* ---- hosts and users ------------------------------------------------------------ */

static void check_period(struct parser *parser, const struct traffic_limits *traffic, bool user) {
    const char *slice = user ? "CBandUserPeriodSlice" : "CBandPeriodSlice";
    if (traffic->slice_s == 0) {
        return;
    }
    if (traffic->period == PERIOD_NONE) {
        parser_warn_place(parser, &traffic->slice_place, slice, "write a period, e.g. 4W",
                          "has no effect without a period");
    } else if (traffic->period == PERIOD_SECONDS && traffic->slice_s > traffic->period_s) {
        parser_warn_place(parser, &traffic->slice_place, slice, "write a slice that is shorter than the period",
                          "is longer than the period: the whole quota is there at once");
    }
}

static void finish_host(struct parser *parser, struct host_limits *limits, const struct names *users,
                        const struct names *classes) {
    const struct config *config = parser_config(parser);
    host_limits_inherit(limits, &config->server.limits);
    resolve_classes(parser, classes, &limits->traffic, false);
    check_period(parser, &limits->traffic, false);
    if (limits->user_name != NULL) {
        const struct named *found = look_up(parser, users, limits->user_name, &limits->user_place, "user", "CBandUser");
        limits->user = found != NULL ? &config->users[found->index] : NULL;
    }
}

void directives_cband_finish(struct parser *parser) {
    struct config *config = parser_config(parser);
    struct server_limits defaults;
    server_limits_init(&defaults);
    server_limits_inherit(&config->server.limits, &defaults);
    struct names users = user_names(parser);
    struct names classes = class_names(parser);
    check_classes(parser);
    for (size_t i = 0; i < config->user_count; i++) {
        resolve_classes(parser, &classes, &config->users[i].traffic, true);
        check_period(parser, &config->users[i].traffic, true);
    }
    struct virtual_host *host;
    for (size_t i = 0; (host = parser_host_at(parser, i)) != NULL; i++) {
        finish_host(parser, &host->limits, &users, &classes);
    }
}

void directives_dos_finish(struct parser *parser) {
    struct config *config = parser_config(parser);
    struct burst_server server_defaults;
    burst_server_init(&server_defaults);
    burst_server_inherit(&config->server.burst, &server_defaults);
    struct burst_limits defaults;
    burst_limits_init(&defaults);
    struct virtual_host *main_server = parser_host_at(parser, 0);
    burst_limits_inherit(&main_server->burst, &defaults);
    struct virtual_host *host;
    for (size_t i = 1; (host = parser_host_at(parser, i)) != NULL; i++) {
        burst_limits_inherit(&host->burst, &main_server->burst);
    }
}
