/* The control socket: documents and commands as plain HTTP, for weirctl, scripts and curl --unix-socket.
 *
 * GET looks and changes nothing, POST changes. GET / lists what there is, from the same table that finds it
 * (control.c). Parameters stand in the query, or in the body of a POST as a form; one that is not known is an error,
 * since a misspelt one must not mean "everything". Answers are documents, or a text for people: 200 it was done, 400
 * the parameters are wrong, 404 there is nothing of that name, 405 the other method, 409 it was refused or failed. */
#ifndef WEIR_STATS_CONTROL_H
#define WEIR_STATS_CONTROL_H

#include "proxy/status.h"

/* Answers what came with HANDLER_CONTROL. */
process_answerer stats_control;

#endif
