/* CAP_NET_ADMIN over changes of user and program. Called by privileges.c at start, and by upgrade.c in the child that
 * becomes the next weir. System calls only: in that child no library function may allocate. */
#include "proxy/capability.h"

#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

enum { WORDS = _LINUX_CAPABILITY_U32S_3, NET_ADMIN_BIT = 1 << CAP_NET_ADMIN };
_Static_assert(CAP_NET_ADMIN < 32, "it stands in the first word");

typedef struct __user_cap_data_struct capability_sets[WORDS];

static bool get(capability_sets sets) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &header, sets) == 0;
}

static bool set(const capability_sets sets) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capset, &header, sets) == 0;
}

bool capability_hold(void) {
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;
}

bool capability_settle(bool keep) {
    capability_sets sets = {{0}};
    sets[0].permitted = sets[0].effective = keep ? NET_ADMIN_BIT : 0;
    bool settled = set(sets);
    return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 && settled;
}

void capability_keep_from_children(bool keep) {
    capability_sets sets;
    if (!get(sets) || (sets[0].permitted & NET_ADMIN_BIT) == 0) {
        return;
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_ADMIN, 0, 0);
    sets[0].inheritable &= ~(uint32_t)NET_ADMIN_BIT;
    if (!keep) {
        sets[0].permitted &= ~(uint32_t)NET_ADMIN_BIT;
        sets[0].effective &= ~(uint32_t)NET_ADMIN_BIT;
    }
    (void)set(sets);
}

void capability_pass_on(void) {
    capability_sets sets;
    if (get(sets) && (sets[0].permitted & NET_ADMIN_BIT) != 0) {
        sets[0].inheritable |= NET_ADMIN_BIT;
        if (set(sets)) {
            (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
        }
    }
}
