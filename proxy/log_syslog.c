/* ErrorLog syslog:facility. Lines are given to syslog(3) on the log writer's thread, because it may block there. */
#include <string.h>
#include <syslog.h>

#include "proxy/log.h"
#include "proxy/log_file.h"

const int *log_syslog_facility(const char *name) {
    static const struct {
        const char *name;
        int facility;
    } facilities[] = {
        {"daemon", LOG_DAEMON}, {"user", LOG_USER},     {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV},
        {"cron", LOG_CRON},     {"ftp", LOG_FTP},       {"kern", LOG_KERN},     {"lpr", LOG_LPR},
        {"mail", LOG_MAIL},     {"news", LOG_NEWS},     {"syslog", LOG_SYSLOG}, {"uucp", LOG_UUCP},
        {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
        {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
    };
    for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++) {
        if (strcasecmp(facilities[i].name, name) == 0) {
            return &facilities[i].facility;
        }
    }
    return NULL;
}

void log_syslog_line(int facility, const char *line, size_t bytes) {
    int priority = facility | (line[0] - '0'); /* our levels are syslog's numbers */
    const char *text = line + 1;
    size_t length = bytes - 1;
    if (length > 0 && text[length - 1] == '\n') {
        length--;
    }
    if (length >= LOG_TIME_BYTES) {
        text += LOG_TIME_BYTES;
        length -= LOG_TIME_BYTES;
    }
    syslog(priority, "%.*s", (int)length, text);
}
