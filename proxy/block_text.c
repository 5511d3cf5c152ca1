/* Mail, command and file name of a block. Called by block_notifier.c, block_files.c and firewall_nftables.c. Pure. */
#include "proxy/block_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "proxy/clock.h"

static bool full_length(const struct ip_prefix *blocked) {
    return blocked->length == (blocked->address.family == IP_V4 ? 32 : 128);
}

void block_text_blocked(const struct ip_prefix *blocked, char text[BLOCKED_TEXT_MAX]) {
    if (full_length(blocked)) {
        (void)ip_address_print(&blocked->address, text);
    } else {
        (void)ip_prefix_print(blocked, text);
    }
}

void block_text_file_name(const struct ip_prefix *blocked, char name[BLOCK_NAME_MAX]) {
    char address[IP_TEXT_MAX];
    (void)ip_address_print(&blocked->address, address);
    snprintf(name, BLOCK_NAME_MAX, "dos-%s", address);
}

bool block_text_is_file_name(const char *name) {
    struct ip_prefix prefix = {0};
    if (strncmp(name, "dos-", 4) != 0 || !ip_address_parse(span_of(name + 4), &prefix.address)) {
        return false;
    }
    char own[BLOCK_NAME_MAX];
    block_text_file_name(&prefix, own);
    return strcmp(name, own) == 0;
}

/* ---- command ---- */

char *block_text_command(const char *command, const struct ip_address *client) {
    char address[IP_TEXT_MAX];
    size_t address_length = ip_address_print(client, address);
    size_t places = 0;
    for (const char *p = strstr(command, "%s"); p != NULL; p = strstr(p + 2, "%s")) {
        places++;
    }
    char *text = must_malloc(strlen(command) + places * address_length + 1);
    char *end = text;
    for (const char *p = command; *p != '\0'; p++) {
        if (p[0] == '%' && p[1] == 's') {
            memcpy(end, address, address_length);
            end += address_length;
            p++;
        } else {
            *end++ = *p;
            p += p[0] == '%' && p[1] == '%';
        }
    }
    *end = '\0';
    return text;
}

/* ---- mail ---- */

static bool fit_for_a_header(const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p <= ' ' || *p == 0x7f || strchr(",;<>()\"\\", *p) != NULL) {
            return false;
        }
    }
    return text[0] != '\0';
}

static void print_line(FILE *out, const char *label, const char *text) {
    if (text == NULL || text[0] == '\0') {
        return;
    }
    fputs(label, out);
    for (size_t i = 0; i < BLOCK_PRINTABLE_MAX && text[i] != '\0'; i++) {
        fputc(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?', out);
    }
    fputc('\n', out);
}

/* No line of the body is a lone dot, which would end the mail for a sendmail without -i. */
char *block_text_mail(const struct block_event *event) {
    if (!fit_for_a_header(event->email)) {
        return NULL;
    }
    char client[IP_TEXT_MAX], blocked[BLOCKED_TEXT_MAX], date[CLOCK_RFC3339_MAX];
    (void)ip_address_print(&event->client, client);
    block_text_blocked(&event->blocked, blocked);
    clock_rfc3339(event->wall_us, date);
    char *mail = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&mail, &size);
    if (out == NULL) {
        return NULL;
    }
    fprintf(out, "To: %s\nSubject: HTTP BLACKLIST %s\n\nmod_evasive HTTP Blacklisted %s\n\n", event->email, client,
            client);
    print_line(out, "Host: ", event->host);
    print_line(out, "Reason: ", event->reason);
    fprintf(out, "Blocked: %s, since %s, for %u s after its last request\n", blocked, date, event->period_s);
    if (fclose(out) != 0) {
        free(mail);
        return NULL;
    }
    return mail;
}
