/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Going to the background: the parent stays until the child is up, or tells why it is not. */

#include "core/base.h"

struct detach;

/*
 * Forks. In the child, returns what to give to detach_ready(); until then it keeps stderr. In the
 * parent, waits until the child is ready or has ended and returns NULL with the exit code to pass
 * on.
 */
struct detach *detach_start(int *ret_code);

/* The child is up: lets the parent go, and with it the terminal. Releases detach. */
void detach_ready(struct detach *detach);
