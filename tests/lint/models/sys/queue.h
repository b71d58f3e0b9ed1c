/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The lists of <sys/queue.h> as the static analyzers see them: functions that they know nothing
 * about. They do not see that LIST_REMOVE() of the first changes the head, and take the next round
 * of a loop for a use of what was freed. Has what the code uses.
 */

void *list_model_first(const void *head);
void *list_model_next(const void *link);
void list_model_init(void *head);
void list_model_insert(void *head, void *item, void *link);
void list_model_remove(void *item, void *link);

#define LIST_HEAD(name, type) struct type *
#define LIST_ENTRY(type) struct type *
#define TAILQ_INIT(head) list_model_init(head)
#define TAILQ_FOREACH(item, head, link) LIST_FOREACH(item, head, link)
#define LIST_INIT(head) list_model_init(head)
#define LIST_FIRST(head) (list_model_first(head))
#define LIST_FOREACH(item, head, link) \
	for ((item) = list_model_first(head); (item); (item) = list_model_next(&(item)->link))
#define LIST_INSERT_HEAD(head, item, link) list_model_insert(head, item, &(item)->link)
#define LIST_REMOVE(item, link) list_model_remove(item, &(item)->link)
