/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What is at the other end of a file descriptor: a person's terminal, or a file or a program. */

#include "core/base.h"

/* Its columns: what it says, $COLUMNS, or 80. 0 if it is no terminal. */
size_t terminal_columns(int fd);

/* Whether it is a terminal that takes ANSI sequences. */
bool terminal_is_ansi(int fd);

/* The same, unless $NO_COLOR asks for no colours. */
bool terminal_has_colours(int fd);
