// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The maps that all families share: this object makes them, the others are given them. */
#include "budget.h"
#include "fingerprint.h"
#include "socket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Types stay in the BTF only where a global needs them. The test of the layout reads them here. */
#define KEEP_TYPE(name) const struct name *type_of_##name __attribute__((unused))

KEEP_TYPE(event_header);
KEEP_TYPE(exec_event);
KEEP_TYPE(connect_event);
KEEP_TYPE(cgroup_event);
KEEP_TYPE(egress_event);
KEEP_TYPE(fpu_event);
KEEP_TYPE(process_event);
