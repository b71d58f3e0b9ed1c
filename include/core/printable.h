/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Texts from outside on a terminal: nothing in them that it would act on, and how wide they are. */

#include "core/base.h"

/*
 * Control characters, what is no UTF-8 and what turns or hides text become \xNN. The caller frees.
 */
char *printable_escape(const char *text) _warn_unused_;

/* The same for lines: \n and \t stay. The caller frees. */
char *printable_escape_lines(const char *text) _warn_unused_;

bool printable_is_utf8(const char *text);

/* The columns that an escaped text takes. */
size_t printable_columns(const char *text);

/*
 * At most that many columns (one at least) of an escaped text: an ellipsis stands for its beginning
 * or its end. The caller frees.
 */
char *printable_cut_begin(const char *text, size_t columns) _warn_unused_;
char *printable_cut_end(const char *text, size_t columns) _warn_unused_;
