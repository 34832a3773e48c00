// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The maps that all families share: this object makes them, the others are given them. */
#include "socket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
