/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A folder of its own for each test, an environment that says nothing, and an event loop. */

#include <event2/event.h>

#include "core/base.h"

/* Makes it; a test's state. For cmocka_unit_test_setup_teardown(). */
int scratch_setup(void **state);
/* Removes it with all that is in it. */
int scratch_teardown(void **state);

/* A path in it. The caller frees. */
char *scratch_path(const char *folder, const char *name) _warn_unused_;

/* Writes a file, with the folders that lead there. */
void scratch_write(const char *path, const char *text);
/* Reads a file that must be there. The caller frees. */
char *scratch_read(const char *path) _warn_unused_;
bool scratch_exists(const char *path);

/* Unsets whatever the code under test might look at. */
void scratch_forget_environment(void);

/* How many descriptors are open. */
size_t scratch_count_descriptors(void);

/* Turns the loop until *done is true; fails the test after ten seconds. */
void scratch_run(struct event_base *base, const bool *done);
/* Turns the loop for so long. */
void scratch_run_for(struct event_base *base, nsec_t duration);

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
