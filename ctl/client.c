/* The HTTP client, by libcurl. Called by the commands and by the screen.
 * Always true: an answer is held in memory, and ends at ANSWER_BYTES_MAX. */
#include "ctl/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_BYTES_MAX = 512 << 20, CONNECT_SECONDS = 5, SECONDS = 60 };

struct client {
    CURL *curl;
    char *socket_path;
};

struct client *client_new(const char *socket_path) {
    struct client *client = calloc(1, sizeof *client);
    if (client != NULL) {
        client->curl = curl_easy_init();
        client->socket_path = strdup(socket_path);
        if (client->curl == NULL || client->socket_path == NULL) {
            client_free(&client);
        }
    }
    return client;
}

void client_free(struct client **client) {
    if (*client != NULL) {
        curl_easy_cleanup((*client)->curl);
        free((*client)->socket_path);
        free(*client);
        *client = NULL;
    }
}

struct collecting {
    FILE *out;
    size_t bytes;
};

static size_t collect(char *data, size_t size, size_t count, void *context) {
    struct collecting *collecting = context;
    size_t bytes = size * count;
    collecting->bytes += bytes;
    return collecting->bytes <= ANSWER_BYTES_MAX && fwrite(data, 1, bytes, collecting->out) == bytes ? bytes : 0;
}

static void explain(struct client *client, CURLcode code, struct client_answer *answer) {
    long error = 0;
    (void)curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &error);
    if (code == CURLE_COULDNT_CONNECT) {
        const char *hint = error == EACCES || error == EPERM ? "the socket is its owner's and root's alone"
                                                             : "is weir running, and is this its ControlSocket?";
        snprintf(answer->problem, sizeof answer->problem, "cannot reach weir at %s: %s; %s", client->socket_path,
                 error != 0 ? strerror((int)error) : "no connection", hint);
    } else {
        snprintf(answer->problem, sizeof answer->problem, "%s: %s", client->socket_path, curl_easy_strerror(code));
    }
}

static bool perform(struct client *client, const char *target, bool is_post, struct client_answer *answer) {
    *answer = (struct client_answer){0};
    struct collecting collecting = {open_memstream(&answer->body, &answer->bytes), 0};
    char *url = NULL;
    if (collecting.out == NULL || asprintf(&url, "http://localhost%s", target) < 0) {
        snprintf(answer->problem, sizeof answer->problem, "no memory");
        if (collecting.out != NULL) {
            fclose(collecting.out);
        }
        client_answer_clear(answer);
        return false;
    }
    CURL *curl = client->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)SECONDS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &collecting);
    if (is_post) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    }
    CURLcode code = curl_easy_perform(curl);
    free(url);
    bool is_whole = fclose(collecting.out) == 0 && code == CURLE_OK;
    if (!is_whole) {
        explain(client, code, answer);
        free(answer->body);
        answer->body = NULL;
        return false;
    }
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    return true;
}

bool client_get(struct client *client, const char *target, struct client_answer *answer) {
    return perform(client, target, false, answer);
}

bool client_post(struct client *client, const char *target, struct client_answer *answer) {
    return perform(client, target, true, answer);
}

void client_answer_clear(struct client_answer *answer) {
    free(answer->body);
    answer->body = NULL;
    answer->bytes = 0;
}

/* ---- targets ---- */

static void put(struct target *target, const char *text) {
    size_t length = strlen(text);
    if (target->length + length >= TARGET_MAX) {
        target->is_cut = true;
        return;
    }
    memcpy(target->text + target->length, text, length + 1);
    target->length += length;
}

/* RFC 3986, 2.3: what needs no escape. */
static void put_encoded(struct target *target, const char *text) {
    for (; *text != '\0'; text++) {
        char encoded[4] = {*text};
        bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                        (*text >= '0' && *text <= '9') || strchr("-._~", *text) != NULL;
        if (!is_plain) {
            snprintf(encoded, sizeof encoded, "%%%02X", (unsigned)(unsigned char)*text);
        }
        put(target, encoded);
    }
}

void target_begin(struct target *target, const char *path) {
    *target = (struct target){.length = 0};
    put(target, path);
}

void target_add(struct target *target, const char *name, const char *value) {
    if (value == NULL) {
        return;
    }
    put(target, target->has_parameters ? "&" : "?");
    put(target, name);
    put(target, "=");
    put_encoded(target, value);
    target->has_parameters = true;
}
