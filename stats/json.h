/* The snapshot as one JSON object: server, hosts[], users[], classes[], clients[], blocks[], upstreams[]. The tree of
 * the XML document, keys in snake_case, numbers as numbers (at most 2^63 - 1), what there is not as null. SetHandler
 * cband-status with ?json, ControlSocket, weirctl status --json. */
#ifndef WEIR_STATS_JSON_H
#define WEIR_STATS_JSON_H

#include "stats/render.h"

stats_renderer stats_json;

#endif
