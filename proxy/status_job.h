/* One status request on its way: from a worker to the housekeeping thread and back. See status.h. */
#ifndef WEIR_PROXY_STATUS_JOB_H
#define WEIR_PROXY_STATUS_JOB_H

#include "proxy/status.h"

struct exchange;
struct generation;
struct status_job;
struct worker;

/* Posts the request; its texts are copied. When the answer is there, and the exchange has not let go of the job, the
 * exchange is run. NULL: too many are under way. The worker's thread, as all of these. */
struct status_job *status_job_post(struct worker *worker, struct exchange *exchange,
                                   const struct status_request *request);

/* NULL: not yet there. Belongs to the job. */
const struct status_answer *status_job_answer(const struct status_job *job);

/* The exchange ends: it will not be run, and the answer is freed, now or when it comes. Nulls the pointer; NULL is
 * harmless. */
void status_job_leave(struct status_job **job);

#endif
