/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One value of the configuration, by its type: how it is read, checked and printed. */

#include <libconfig.h>
#include <stdio.h>

#include "codec/settings.h"

/* Where the reading of a file stands. */
struct reading {
	struct settings *settings;
	struct strings *errors;
	const char *file;
};

/* Adds "FILE:LINE: message"; the line is the value's. */
void settings_complain(struct reading *reading, const config_setting_t *value, const char *format,
	...) _printf_(3, 4);

/* Reads the value to *target, whose type is the setting's; complains and leaves it on error. */
void settings_read_value(struct reading *reading, const struct setting *setting,
	config_setting_t *value, void *target);

/* Prints what is at target in libconfig's syntax, so that reading it gives the same. */
void settings_print_value(const struct setting *setting, const void *target, FILE *out);
