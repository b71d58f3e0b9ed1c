/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Points in time as people say them. */

#include "core/units.h"

/* As docker says it: "3 hours ago", "in 2 weeks", "now". Returns buffer. */
char *format_relative_time(nsec_t time, nsec_t now, char buffer[static FORMAT_MAX]);
