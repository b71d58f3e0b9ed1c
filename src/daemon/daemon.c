/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <errno.h>
#include <unistd.h>

#include "daemon/api.h"
#include "daemon/cycle.h"
#include "daemon/demand.h"
#include "daemon/heap.h"
#include "daemon/listening.h"
#include "daemon/metrics.h"
#include "daemon/observe.h"
#include "daemon/report.h"
#include "daemon/schedule.h"
#include "daemon/signals.h"
#include "daemon/status.h"
#include "daemon/store.h"
#include "daemon/subscription.h"
#include "io/clock.h"
#include "io/event_stream.h"
#include "io/service.h"

struct daemon {
	struct daemon_options options;
	struct settings settings;
	struct event_base *base;
	struct signals signals;
	struct event *watchdog;
	struct engine *engine;
	struct event_stream *stream;
	struct inventory inventory;
	struct ledger ledger;
	struct watch *watch;
	struct cycle *cycle;
	struct store store;

	struct api *api;
	struct listening listening;
	struct removal_log removals;
	struct collection_record last_collection;
	struct metrics metrics;

	struct schedule *schedule;
	struct demand demand;
	struct subscription subscription;
	bool new_connection; /* nothing listed since it was made: is the storage the same? */
	bool greeted; /* how things stand has been told since it was made */
	char *away; /* why there is no engine */
	char *config_problem; /* of the last reload */
	char *status; /* as told last */
	bool is_unwritten; /* the table of --once --dry-run */
	int exit_code;
};

static struct status status_of(const struct daemon *daemon)
{
	bool watching = daemon->subscription.is_on && watch_is_loaded(daemon->watch);

	return (struct status){
		.engine = daemon->engine,
		.settings = &daemon->settings,
		.inventory = &daemon->inventory,
		.ledger = &daemon->ledger,
		.usage = cycle_usage(daemon->cycle),
		.cycle = cycle_state(daemon->cycle),
		.watching = watching,
		.paused_until = daemon->demand.pause.until,
		.next = watching && !pause_is_on(&daemon->demand.pause)
			? schedule_next(daemon->schedule)
			: 0,
		.last = daemon->last_collection,
		.away = daemon->away,
		.problems = { daemon->store.problem, daemon->config_problem,
			daemon->listening.control_problem, daemon->listening.metrics_problem,
			cycle_problem(daemon->cycle) },
	};
}

static void update_status(struct daemon *daemon)
{
	struct status status = status_of(daemon);
	char *text = status_describe(&status);

	if (!streq(text, daemon->status))
		service_status(text);
	free(daemon->status);
	daemon->status = text;
}

static nsec_t on_storing(void *userdata)
{
	struct daemon *daemon = userdata;

	return watch_open_since(daemon->watch);
}

static void on_stored(void *userdata)
{
	update_status(userdata);
}

static void learned(struct daemon *daemon)
{
	store_note(&daemon->store);
	update_status(daemon);
}

/* What is known of the engine, and what is under way there, is void. */
static void leave_engine(struct daemon *daemon)
{
	struct ledger *ledger = &daemon->ledger;

	subscription_end(&daemon->subscription);
	/* If it comes back it is asked for the rest again. */
	ledger->observed_until = MIN(ledger->observed_until, watch_open_since(daemon->watch));
	cycle_cancel(daemon->cycle);
	watch_stop(daemon->watch);
	api_gone(daemon->api, "the engine has gone away");
}

static void stop(struct daemon *daemon, int exit_code)
{
	daemon->exit_code = exit_code;
	event_base_loopbreak(daemon->base);
}

/* event_stream */

static nsec_t on_connected(void *userdata, nsec_t told)
{
	struct daemon *daemon = userdata;
	_cleanup_free_ char *identity = engine_identity(daemon->engine);
	const struct engine_info *info = engine_info(daemon->engine);
	const struct engine_version *version = engine_version(daemon->engine);
	bool same = streq(daemon->ledger.engine_id, identity);

	log_info("engine %s (from %s): %s %s, API %s, %s in %s",
		engine_endpoint(daemon->engine)->url, engine_endpoint(daemon->engine)->source,
		version->is_podman ? "Podman" : "Docker", version->version,
		engine_api_version(daemon->engine), info->driver, info->root_directory);
	if (!same)
		leave_engine(daemon);
	store_meet_engine(&daemon->store, identity);
	daemon->new_connection = true;
	watch_missed(daemon->watch);
	return same && daemon->ledger.observed_until > 0
		? subscription_since(&daemon->subscription, told, info->system_time)
		: info->system_time;
}

static void on_watching(void *userdata)
{
	struct daemon *daemon = userdata;
	bool was_away;

	freep(&daemon->away);
	daemon->away = NULL;
	was_away = subscription_begin(&daemon->subscription);
	daemon->greeted = false;
	if (watch_is_loaded(daemon->watch))
		subscription_count(&daemon->subscription);
	if (was_away)
		demand_lists(
			&daemon->demand, daemon->options.once ? TRIGGER_REQUEST : TRIGGER_START);
	else
		watch_reconcile(daemon->watch);
	watch_set_live(daemon->watch, true);
}

static void on_event(void *userdata, const struct engine_event *event)
{
	struct daemon *daemon = userdata;

	observe_now(&daemon->ledger);
	watch_event(daemon->watch, event);
	store_note(&daemon->store);
	/* Containers fill the disk as well. */
	if (amount_is_set(daemon->settings.policy.min_free_space))
		schedule_grown(daemon->schedule, observe_now(&daemon->ledger));
}

static void on_broken(void *userdata)
{
	struct daemon *daemon = userdata;

	observe_now(&daemon->ledger);
	subscription_break(&daemon->subscription);
	watch_set_live(daemon->watch, false);
}

static void on_resumed(void *userdata)
{
	struct daemon *daemon = userdata;

	subscription_resume(&daemon->subscription);
	watch_set_live(daemon->watch, true);
}

/* Which group it is cannot be told from here: a user namespace shows none but our own. */
static char *describe_absence(const struct daemon *daemon, const char *why)
{
	const char *path = engine_endpoint(daemon->engine)->unix_socket;

	if (!path || access(path, W_OK) == 0 || errno != EACCES)
		return xstrdup(why);
	return xasprintf("%s: is this user in the socket's group (docker, as a rule)?", why);
}

static void on_away(void *userdata, const char *reason)
{
	struct daemon *daemon = userdata;
	_cleanup_free_ char *why = describe_absence(daemon, reason);

	if (daemon->options.once) {
		log_error("no engine at %s: %s", engine_endpoint(daemon->engine)->url, why);
		stop(daemon, EXIT_UNAVAILABLE);
		return;
	}
	log_warning(
		"no engine at %s, waiting for it: %s", engine_endpoint(daemon->engine)->url, why);
	subscription_end(&daemon->subscription);
	free(daemon->away);
	daemon->away = xstrdup(why);
	schedule_idle(daemon->schedule);
	cycle_cancel(daemon->cycle);
	watch_pause(daemon->watch);
	api_gone(daemon->api, "the engine has gone away");
	learned(daemon);
}

/* watch */

static void on_listed(void *userdata)
{
	struct daemon *daemon = userdata;

	if (daemon->new_connection)
		store_meet_storage(&daemon->store);
	daemon->new_connection = false;
	subscription_count(&daemon->subscription);
	if (!watch_is_live(daemon->watch))
		subscription_break(&daemon->subscription);
}

static void on_reconciled(void *userdata)
{
	struct daemon *daemon = userdata;

	observe_now(&daemon->ledger);
	learned(daemon);
	demand_note_lists(&daemon->demand);
}

static void note_collection(struct daemon *daemon, const struct collection_outcome *outcome)
{
	daemon->last_collection = (struct collection_record){
		.time = observe_now(&daemon->ledger),
		.removed = outcome->removed,
		.failed = outcome->refused,
		.before = outcome->before,
		.after = outcome->after,
		.finished = outcome->result >= 0,
	};
	metrics_count_collection(&daemon->metrics, outcome);
}

static void on_list_failed(void *userdata, const char *why)
{
	struct daemon *daemon = userdata;

	demand_note_failure(&daemon->demand);
	log_error("cannot list images, nothing is collected: %s", why);
	cycle_cancel(daemon->cycle);
	note_collection(daemon, &(struct collection_outcome){ .result = -EIO });
	api_gone(daemon->api, why);
	update_status(daemon);
	if (daemon->options.once)
		stop(daemon, EXIT_FAILURE);
	else
		schedule_failed(daemon->schedule);
}

static void on_arrived(void *userdata, const struct image *image)
{
	struct daemon *daemon = userdata;
	const struct ledger_entry *entry = ledger_find(&daemon->ledger, image->id);

	report_arrival(image, entry, policy_manages(&daemon->settings.policy, image, entry));
}

static void on_grown(void *userdata)
{
	struct daemon *daemon = userdata;

	learned(daemon);
	if (policy_limits_size(&daemon->settings.policy))
		schedule_grown(daemon->schedule, observe_now(&daemon->ledger));
}

static void on_settled(void *userdata)
{
	struct daemon *daemon = userdata;

	api_settled(daemon->api);
	learned(daemon);
	/* Unless that has opened something. */
	if (watch_is_settled(daemon->watch))
		cycle_settled(daemon->cycle);
}

/* cycle */

static void on_cycle_changed(void *userdata)
{
	learned(userdata);
}

static void on_cycle_decided(void *userdata, const struct image_summary *summary,
	enum removal_result result, const char *why)
{
	struct daemon *daemon = userdata;
	struct logged_removal removal = {
		.time = observe_now(&daemon->ledger),
		.id = xstrdup(summary->id),
		.references = strings_copy(&summary->references),
		.reason = summary->reason,
		.bytes = summary->reclaims,
		.outcome = xstrdup(result == REMOVAL_DONE ? "removed" : why),
	};

	metrics_count_removal(&daemon->metrics, summary->reason, result);
	removal_log_add(&daemon->removals, &removal);
}

static const char *why_nothing_happens(const struct daemon *daemon)
{
	if (!daemon->settings.enabled)
		return "gc.enabled = false: nothing is removed";
	return pause_is_on(&daemon->demand.pause) ? "paused: nothing is removed"
						  : "dry run: nothing is removed";
}

static void on_cycle_planned(void *userdata, const struct plan *plan)
{
	struct daemon *daemon = userdata;

	if (daemon->options.once && daemon->settings.dry_run)
		daemon->is_unwritten = report_table(plan) < 0;
	else
		report_removals(plan);
	report_plan(plan, why_nothing_happens(daemon));
}

static void on_cycle_finished(void *userdata, const struct collection_outcome *outcome)
{
	struct daemon *daemon = userdata;

	heap_trim_later(daemon->base);
	note_collection(daemon, outcome);
	report_outcome(outcome);
	api_collected(daemon->api, &daemon->last_collection);
	learned(daemon);
	if (!daemon->greeted) {
		struct status status = status_of(daemon);

		status_greet(&status);
		daemon->greeted = true;
	}
	if (daemon->options.once)
		stop(daemon,
			outcome->result < 0 || daemon->is_unwritten ? EXIT_FAILURE : EXIT_SUCCESS);
	else if (outcome->result < 0)
		schedule_failed(daemon->schedule);
	else
		schedule_succeeded(daemon->schedule);
}

/* schedule */

static void on_interval(void *userdata)
{
	struct daemon *daemon = userdata;

	if (!daemon->subscription.is_on)
		return;
	observe_now(&daemon->ledger);
	/* That we have watched until now is worth saving from time to time. */
	daemon->ledger.generation++;
	store_note(&daemon->store);
	/* A list can be older than the removals under way, and bring back what has gone. */
	if (cycle_state(daemon->cycle) == CYCLE_IDLE)
		demand_lists(&daemon->demand, TRIGGER_TIMER);
}

static void on_quiet(void *userdata)
{
	struct daemon *daemon = userdata;

	observe_now(&daemon->ledger);
	if (cycle_is_within_limits(daemon->cycle))
		update_status(daemon);
	else
		demand_collection(&daemon->demand, TRIGGER_SIZE);
}

static void on_retry(void *userdata)
{
	struct daemon *daemon = userdata;

	demand_retry(&daemon->demand);
}

/* configuration */

static void use_engine(struct daemon *daemon, struct endpoint *endpoint)
{
	struct engine_timeouts timeouts = {
		.connect = daemon->settings.connect_timeout,
		.request = daemon->settings.request_timeout,
	};
	_cleanup_free_ char *warning = endpoint_warn_of_key(endpoint);

	if (warning)
		log_warning("%s", warning);
	observe_now(&daemon->ledger);
	leave_engine(daemon);
	event_stream_stop(daemon->stream);
	engine_set_endpoint(daemon->engine, endpoint, &timeouts);
	event_stream_start(daemon->stream);
}

static void reload(struct daemon *daemon)
{
	_cleanup_(settings_finish) struct settings old = {};
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};

	if (configuration_reload(&daemon->options, &daemon->settings, &endpoint, &old,
		    &daemon->config_problem) < 0)
		return;
	if (!streq(old.metrics_listen, daemon->settings.metrics_listen) ||
		daemon->listening.metrics_problem)
		listening_open_metrics(&daemon->listening, daemon->settings.metrics_listen);
	daemon->greeted = false; /* what it makes of the images is worth a word */
	if (!configuration_has_same_engine(
		    &old, engine_endpoint(daemon->engine), &daemon->settings, &endpoint))
		use_engine(daemon, &endpoint);
	else if (daemon->subscription.is_on)
		demand_collection(&daemon->demand, TRIGGER_TIMER);
	schedule_set(daemon->schedule, daemon->settings.interval, daemon->settings.settle);
}

/* signals and api: what people want */

static void on_stop(void *userdata)
{
	log_info("stopping");
	stop(userdata, EXIT_SUCCESS);
}

static void on_reload(void *userdata)
{
	struct daemon *daemon = userdata;

	service_reloading();
	reload(daemon);
	service_ready();
	update_status(daemon);
}

static void on_collect(void *userdata)
{
	struct daemon *daemon = userdata;

	demand_now(&daemon->demand);
}

static void on_describe(void *userdata, struct control_status *ret)
{
	struct daemon *daemon = userdata;
	struct status status;

	observe_now(&daemon->ledger);
	status = status_of(daemon);
	status_fill(&status, ret);
}

static char *on_measure(void *userdata)
{
	struct daemon *daemon = userdata;
	struct status status;
	struct metrics_sources sources;

	observe_now(&daemon->ledger);
	status = status_of(daemon);
	sources = (struct metrics_sources){
		.metrics = &daemon->metrics,
		.status = &status,
		.events = event_stream_counters(daemon->stream),
		.store = &daemon->store,
		.differences = watch_differences(daemon->watch),
		.reloaded = !daemon->config_problem,
	};
	return metrics_describe(&sources);
}

static void on_pause_over(void *userdata)
{
	update_status(userdata);
}

static void on_pause(void *userdata, nsec_t length)
{
	struct daemon *daemon = userdata;

	demand_pause(&daemon->demand, length);
	update_status(daemon);
}

static void on_resume(void *userdata)
{
	struct daemon *daemon = userdata;

	demand_resume(&daemon->demand);
}

static void on_told(void *userdata)
{
	learned(userdata);
}

static void create_api(struct daemon *daemon)
{
	static const struct api_handler handler = {
		.describe = on_describe,
		.measure = on_measure,
		.collect = on_collect,
		.pause = on_pause,
		.resume = on_resume,
		.changed = on_told,
	};
	struct api_context context = {
		.settings = &daemon->settings,
		.engine = daemon->engine,
		.inventory = &daemon->inventory,
		.watch = daemon->watch,
		.ledger = &daemon->ledger,
		.cycle = daemon->cycle,
		.removals = &daemon->removals,
	};

	daemon->api = api_create(daemon->base, &context, &handler, daemon);
	daemon->listening.api = daemon->api;
	if (daemon->options.once)
		return;
	listening_open_metrics(&daemon->listening, daemon->settings.metrics_listen);
	listening_open_control(&daemon->listening, daemon->settings.control_socket);
}

static void create_parts(struct daemon *daemon)
{
	static const struct event_stream_handler stream_handler = {
		.connected = on_connected,
		.watching = on_watching,
		.event = on_event,
		.broken = on_broken,
		.resumed = on_resumed,
		.away = on_away,
	};
	static const struct watch_handler watch_handler = {
		.listed = on_listed,
		.reconciled = on_reconciled,
		.failed = on_list_failed,
		.arrived = on_arrived,
		.grown = on_grown,
		.settled = on_settled,
	};
	static const struct cycle_handler cycle_handler = {
		.changed = on_cycle_changed,
		.decided = on_cycle_decided,
		.planned = on_cycle_planned,
		.finished = on_cycle_finished,
	};
	static const struct schedule_handler schedule_handler = {
		.interval = on_interval,
		.settled = on_quiet,
		.retry = on_retry,
	};
	static const struct signals_handler signals_handler = {
		.stop = on_stop,
		.reload = on_reload,
		.collect = on_collect,
	};
	struct removal_context context;

	daemon->stream = event_stream_create(daemon->base, daemon->engine, &stream_handler, daemon);
	daemon->watch = watch_create(daemon->base, daemon->engine, &daemon->inventory,
		&daemon->ledger, &daemon->settings.policy, &watch_handler, daemon);
	context = (struct removal_context){
		.engine = daemon->engine,
		.watch = daemon->watch,
		.inventory = &daemon->inventory,
		.ledger = &daemon->ledger,
		.policy = &daemon->settings.policy,
	};
	daemon->cycle = cycle_create(&context, &daemon->settings, &cycle_handler, daemon);
	daemon->schedule = schedule_create(daemon->base, &schedule_handler, daemon);
	daemon->demand = (struct demand){
		.watch = daemon->watch,
		.cycle = daemon->cycle,
		.ledger = &daemon->ledger,
		.subscription = &daemon->subscription,
	};
	demand_init(&daemon->demand, daemon->base, on_pause_over, daemon);
	create_api(daemon);
	signals_init(&daemon->signals, daemon->base, &signals_handler, daemon);
}

int daemon_create(const struct daemon_options *options, struct settings *settings,
	struct daemon **ret, struct error *error)
{
	_cleanup_(endpoint_finish) struct endpoint endpoint = {};
	struct daemon *daemon = xcalloc(1, sizeof(*daemon));

	daemon->options = *options;
	daemon->settings = *settings;
	*settings = (struct settings){};
	daemon->store.file.lock_fd = -1;
	daemon->store.ledger = &daemon->ledger;
	daemon->store.inventory = &daemon->inventory;
	daemon->store.policy = &daemon->settings.policy;
	daemon->store.open_since = on_storing;
	daemon->store.userdata = daemon;
	inventory_init(&daemon->inventory);
	ledger_init(&daemon->ledger);
	daemon->subscription.ledger = &daemon->ledger;
	daemon->base = event_base_new();
	if (!daemon->base)
		abort();
	if (configuration_apply(options, &daemon->settings, &endpoint, error) < 0) {
		daemon_destroy(daemon);
		return EXIT_CONFIG;
	}
	daemon->engine = engine_create(daemon->base);
	if (store_open(&daemon->store, daemon->settings.cache_file,
		    !(options->once && daemon->settings.dry_run), daemon->base, error) < 0) {
		daemon_destroy(daemon);
		return EXIT_FAILURE;
	}
	create_parts(daemon);
	daemon->store.changed = on_stored;
	use_engine(daemon, &endpoint);
	*ret = daemon;
	return 0;
}

void daemon_destroy(struct daemon *daemon)
{
	if (!daemon)
		return;
	signals_finish(&daemon->signals);
	if (daemon->watchdog)
		event_free(daemon->watchdog);
	/* What it held back is told now, to all that is still there. */
	if (daemon->cycle)
		cycle_cancel(daemon->cycle);
	demand_finish(&daemon->demand);
	listening_finish(&daemon->listening);
	api_destroy(daemon->api);
	removal_log_finish(&daemon->removals);
	schedule_destroy(daemon->schedule);
	cycle_destroy(daemon->cycle);
	watch_destroy(daemon->watch);
	event_stream_destroy(daemon->stream);
	engine_destroy(daemon->engine);
	store_close(&daemon->store);
	inventory_finish(&daemon->inventory);
	ledger_finish(&daemon->ledger);
	settings_finish(&daemon->settings);
	event_base_free(daemon->base);
	free(daemon->away);
	free(daemon->config_problem);
	free(daemon->status);
	free(daemon);
}

int daemon_run(struct daemon *daemon)
{
	configuration_announce(&daemon->settings);
	daemon->watchdog = service_watchdog_create(daemon->base);
	schedule_set(daemon->schedule, daemon->settings.interval, daemon->settings.settle);
	service_ready();
	if (daemon->options.ready)
		daemon->options.ready(daemon->options.userdata);
	update_status(daemon);
	event_base_dispatch(daemon->base);
	daemon->store.changed = NULL; /* what it says from now on is Stopping */
	service_stopping();
	service_status("Stopping");
	observe_now(&daemon->ledger);
	/* Who has watched nothing has nothing to say: without lists no image looks managed. */
	store_flush(&daemon->store, daemon->ledger.observed.elapsed > 0);
	return daemon->exit_code;
}
