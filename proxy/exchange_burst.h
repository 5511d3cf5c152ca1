/* Where requests meet burst blocking (shaper/burst.h): as soon as it is known who sends them, to which host. One
 * worker. */
#ifndef WEIR_PROXY_EXCHANGE_BURST_H
#define WEIR_PROXY_EXCHANGE_BURST_H

#include "proxy/exchange_steps.h"

/* After host, path and real client are found; for hosts with DOSEnabled. True: it is refused, and the exchange has its
 * answer, or its end without one. */
bool exchange_burst_refuses(struct exchange *exchange);

/* The same for a request that is malformed, instead of the answer that it would get. */
bool exchange_burst_refuses_bad(struct exchange *exchange);

#endif
