/* The rows of mod_evasive's directives and of weir's additions to them. What the lines do is in dos_lines.c.
 *
 * Read by directive.c and the parser; constant. A host takes from the server, value by value, what it does not say. */
#include "config/dos_lines.h"

/* name, apply function; then what the reference says: arguments, default, help */
#define LINE(name_, apply_, syntax_, default_, help_)                                                                  \
    {                                                                                                                  \
        .name = (name_), .contexts = CONTEXT_SERVER | CONTEXT_HOST, .minimum_arguments = 1, .maximum_arguments = 1,    \
        .unsaid = true, .apply = (apply_), .syntax = (syntax_), .default_text = (default_), .help = (help_)            \
    }

#define LIST(name_, apply_, syntax_, help_)                                                                            \
    {                                                                                                                  \
        .name = (name_), .contexts = CONTEXT_SERVER | CONTEXT_HOST, .minimum_arguments = 1,                            \
        .maximum_arguments = MANY_ARGUMENTS, .unsaid = true, .repeated = true, .apply = (apply_), .syntax = (syntax_), \
        .help = (help_)                                                                                                \
    }

const struct directive directives_dos[] = {
    LINE("DOSEnabled", dos_apply_enabled, "On|Off", "(On as soon as there is another DOS directive)",
         "Whether clients that send bursts are blocked"),
    LINE("DOSHashTableSize", dos_apply_server_number, "entries", NULL,
         "Accepted as a hint; the table of clients is bounded by DOSMaxClients"),
    LINE("DOSMaxClients", dos_apply_server_number, "clients", "1000000",
         "Bound of the table of clients, for the whole server"),
    LINE("DOSPageCount", dos_apply_number, "requests|Off", "2",
         "More requests of one client for one page within DOSPageInterval block it"),
    LINE("DOSPageInterval", dos_apply_number, "seconds", "1", "The window of DOSPageCount"),
    LINE("DOSSiteCount", dos_apply_number, "requests|Off", "50",
         "More requests of one client for anything on a host within DOSSiteInterval block it"),
    LINE("DOSSiteInterval", dos_apply_number, "seconds", "1", "The window of DOSSiteCount"),
    LINE("DOSRequestCount", dos_apply_number, "requests|Off", "Off",
         "More requests of one client to all hosts within DOSRequestInterval block it"),
    LINE("DOSRequestInterval", dos_apply_number, "seconds", "1", "The window of DOSRequestCount"),
    LINE("DOSConnectionCount", dos_apply_number, "connections|Off", "Off",
         "More new connections of one client within DOSConnectionInterval are refused"),
    LINE("DOSConnectionInterval", dos_apply_number, "seconds", "60", "The window of DOSConnectionCount"),
    LINE("DOSConcurrentConnections", dos_apply_number, "connections|Off", "Off",
         "More open connections of one client at a time are refused"),
    LINE("DOSBlockingPeriod", dos_apply_number, "seconds", "10",
         "How long a client is blocked; each request made meanwhile starts the time again"),
    LINE("DOSHTTPStatus", dos_apply_status, "status", "403", "Status of a refusal: any 4xx or 5xx"),
    LINE("DOSHTTPResponseCode", dos_apply_status, "status", "403", "Another name of DOSHTTPStatus"),
    LINE("DOSBlockAction", dos_apply_action, "status|close|reset", "status",
         "What a blocked client gets: the status, or its connection closed or reset"),
    LIST("DOSWhitelist", dos_apply_whitelist, "address…",
         "Clients that are never counted nor blocked: addresses, networks, * for whole octets"),
    LIST("DOSWhitelistUri", dos_apply_whitelist_uri, "pattern…", "Paths that are never counted"),
    LIST("DOSTargetlistUri", dos_apply_targetlist_uri, "pattern…", "The only paths that are counted"),
    LIST("DOSBlocklistUri", dos_apply_blocklist_uri, "pattern…", "Paths whose request blocks the client at once"),
    LINE("DOSEmailNotify", dos_apply_email, "address", NULL, "Gets one mail for each block"),
    LINE("DOSMailCommand", dos_apply_mail_command, "command", "\"/usr/sbin/sendmail -t\"",
         "Sends the mail that it reads from its standard input"),
    LINE("DOSSystemCommand", dos_apply_system_command, "command", NULL,
         "Run once for each block; %s is the client's address, %% a percent sign"),
    LINE("DOSLogDir", dos_apply_log_dir, "directory", NULL,
         "Holds a file dos-ADDRESS for each client while it is blocked"),
    LINE("DOSLogOnly", dos_apply_log_only, "On|Off", "Off", "Decides, counts and logs, but refuses nothing"),
    LINE("DOSIPv6Prefix", dos_apply_server_number, "bits", "64",
         "IPv6 addresses that agree in so many bits are one client, for the whole server"),
    {
        .name = "DOSFirewall",
        .contexts = CONTEXT_SERVER | CONTEXT_HOST,
        .minimum_arguments = 1,
        .maximum_arguments = 3 + FIREWALL_SETS_MAX,
        .unsaid = true,
        .apply = dos_apply_firewall,
        .syntax = "nftables family table set [set]|none",
        .default_text = "none",
        .help = "Keeps blocked addresses in sets of the firewall, one for IPv4 and one for IPv6, for the whole server",
    },
};

const size_t directives_dos_count = sizeof directives_dos / sizeof *directives_dos;
