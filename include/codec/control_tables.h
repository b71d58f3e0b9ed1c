/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The lists that the control socket answers with, as tables for people. */

#include "codec/control_view.h"
#include "codec/json.h"

/* Each returns 0 or -EBADMSG with *error. The caller frees *ret. */
int tables_images(struct json_object *body, const struct view *view, char **ret,
	struct error *error) _warn_unused_;
int tables_plan(struct json_object *body, const struct view *view, char **ret,
	struct error *error) _warn_unused_;
int tables_history(struct json_object *body, const struct view *view, char **ret,
	struct error *error) _warn_unused_;
int tables_names(struct json_object *body, const struct view *view, char **ret,
	struct error *error) _warn_unused_;
