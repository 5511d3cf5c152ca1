/* What SetHandler cband-status, cband-status-me and weir-metrics answer: from a request to a document or an action.
 *
 * Queries: none (the page), xml, xml=classic, json, refresh=N, unit=K|M|G, sort=COLUMN; by POST, in the query or the
 * body: reset=NAME|NAME:PORT:LINE|all, reset_user=NAME|all. (The specification's section "Status".) */
#ifndef WEIR_STATS_ANSWER_H
#define WEIR_STATS_ANSWER_H

#include "proxy/status.h"

process_answerer stats_answer;

#endif
