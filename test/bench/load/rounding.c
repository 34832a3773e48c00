// SPDX-License-Identifier: Apache-2.0
/* Floating-point work under rounding modes that change all the time, as RandomX's CFROUND does. Ends when killed. */
#include <fenv.h>

int main(void)
{
	static const int modes[] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
	volatile double value = 1.5;

	for (unsigned long round = 0;; round++) {
		fesetround(modes[(round >> 12) & 3]);
		value = value * 1.0000001 / 1.00000009 + 1e-9;
	}
}
