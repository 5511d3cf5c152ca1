/* Access rules: Require and its containers, and the older Order, Allow and Deny. Called by route.c on workers; pure.
 *
 * Invariant: only a rule that says yes lets anybody in; a rule that merely does not object never does by itself. */
#include "config/ipaddr.h"
#include "proxy/route.h"

/* Apache's three answers: "Require not" and <RequireNone> can refuse but never grant. */
enum verdict { VERDICT_DENIED, VERDICT_NEUTRAL, VERDICT_GRANTED };

static bool any_contains(const struct ip_prefix *prefixes, size_t count, const struct ip_address *client) {
    if (client == NULL || client->family == IP_NONE) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (ip_prefix_contains(&prefixes[i], client)) {
            return true;
        }
    }
    return false;
}

/* Order Deny,Allow: let in unless denied and not allowed. Order Allow,Deny: let in when allowed and not denied. */
static bool order_allows(const struct access_rule *rule, const struct ip_address *client) {
    bool allowed = rule->allow_all || any_contains(rule->prefixes, rule->prefix_count, client);
    bool denied = rule->deny_all || any_contains(rule->denied, rule->denied_count, client);
    return rule->allow_last ? allowed || !denied : allowed && !denied;
}

/* HEAD is allowed where GET is, as in Apache. */
static bool method_listed(const struct access_rule *rule, struct span method) {
    if (span_equal(method, SPAN_LITERAL("HEAD"))) {
        method = SPAN_LITERAL("GET");
    }
    for (size_t i = 0; i < rule->method_count; i++) {
        struct span listed = span_of(rule->methods[i]);
        if (span_equal(listed, method) ||
            (span_equal(listed, SPAN_LITERAL("HEAD")) && span_equal(method, SPAN_LITERAL("GET")))) {
            return true;
        }
    }
    return false;
}

/* A client without an address came through a Unix socket, and so from this machine. */
static bool is_local(const struct ip_address *client) {
    return client != NULL && (client->family == IP_NONE || ip_address_is_loopback(client));
}

static enum verdict judge(const struct access_rule *rule, const struct ip_address *client, struct span method);

static enum verdict judge_children(const struct access_rule *rule, const struct ip_address *client,
                                   struct span method) {
    size_t counts[3] = {0};
    for (size_t i = 0; i < rule->child_count; i++) {
        counts[judge(rule->children[i], client, method)]++;
    }
    switch (rule->kind) {
    case ACCESS_ALL:
        return counts[VERDICT_DENIED] > 0    ? VERDICT_DENIED
               : counts[VERDICT_GRANTED] > 0 ? VERDICT_GRANTED
                                             : VERDICT_NEUTRAL;
    case ACCESS_ANY:
        return counts[VERDICT_GRANTED] > 0  ? VERDICT_GRANTED
               : counts[VERDICT_DENIED] > 0 ? VERDICT_DENIED
                                            : VERDICT_NEUTRAL;
    default: /* ACCESS_NONE */
        return counts[VERDICT_GRANTED] > 0 ? VERDICT_DENIED : VERDICT_NEUTRAL;
    }
}

static enum verdict judge(const struct access_rule *rule, const struct ip_address *client, struct span method) {
    enum verdict verdict = VERDICT_DENIED;
    bool granted = false;
    switch (rule->kind) {
    case ACCESS_ALL:
    case ACCESS_ANY:
    case ACCESS_NONE:
        verdict = judge_children(rule, client, method);
        granted = verdict == VERDICT_GRANTED;
        break;
    case ACCESS_GRANTED:
        granted = true;
        break;
    case ACCESS_DENIED:
        break;
    case ACCESS_IP:
        granted = any_contains(rule->prefixes, rule->prefix_count, client);
        break;
    case ACCESS_LOCAL:
        granted = is_local(client);
        break;
    case ACCESS_METHOD:
        granted = method_listed(rule, method);
        break;
    case ACCESS_ORDER:
        granted = order_allows(rule, client);
        break;
    }
    if (rule->negated) {
        return granted ? VERDICT_DENIED : VERDICT_NEUTRAL;
    }
    return granted ? VERDICT_GRANTED : verdict;
}

bool access_allowed(const struct access_rule *rule, const struct ip_address *client, struct span method) {
    return rule == NULL || judge(rule, client, method) == VERDICT_GRANTED;
}
