/* What one host, user, class or client has beside its quota: a speed, a request rate and a count of requests being
 * served, shared by everything under it. All threads; a zeroed struct is a new one. */
#ifndef WEIR_SHAPER_TRAFFIC_SCOPE_H
#define WEIR_SHAPER_TRAFFIC_SCOPE_H

#include "shaper/in_flight.h"
#include "shaper/lane.h"
#include "shaper/request_rate.h"

struct traffic_scope {
    struct lane lane; /* bytes to clients */
    struct request_rate requests;
    struct in_flight in_flight;
};

#endif
