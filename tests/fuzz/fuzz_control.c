/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte that says where to split, and what a client sends to the control socket: HTTP comes back,
 * or nothing; bodies are JSON; routes see texts.
 */
#include "fuzz.h"

#include <err.h>
#include <errno.h>
#include <event2/event.h>
#include <json-c/json.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "codec/control_json.h"
#include "io/control.h"

#define ANSWER_MAX ((size_t)1 << 20)
/* Turns of the loop without anything to read after which a connection counts as held. */
#define IDLE_MAX 50
#define TEXT_TYPE "text/plain"

static struct event_base *base;
static struct control *control;
static char folder[] = "/tmp/fuzz-control-XXXXXX";

/* Calls that are answered later. */
static struct control_call *held[64];
static size_t held_count;

static void get_rest(void *userdata, struct control_call *call)
{
	const char *rest = control_rest(call);

	check(*rest);
	check(fuzz_is_utf8(rest));
	control_fail(call, 404, "no such image: %s", rest);
}

static void get_plain(void *userdata, struct control_call *call)
{
	check(streq(control_rest(call), ""));
	control_reply_text(call, TEXT_TYPE, "text\n");
}

static void post_names(void *userdata, struct control_call *call)
{
	_cleanup_strings_ struct strings names = {};
	_cleanup_error_ struct error error = {};
	size_t length;
	const char *body = control_body(call, &length);

	check(length <= CONTROL_BODY_MAX);
	check(body[length] == '\0');
	if (decode_references(body, length, &names, &error) < 0) {
		control_fail(call, 400, "%s", error.message);
	} else {
		_cleanup_free_ char *joined = strings_join(&names, ", ");

		control_fail(call, 404, "no such images: %s", joined);
	}
}

static void post_parameter(void *userdata, struct control_call *call)
{
	const char *value = control_parameter(call, "for");

	check(!value || fuzz_is_utf8(value));
	control_fail(call, 400, "for=%s", value ? value : "");
}

static void post_held(void *userdata, struct control_call *call)
{
	if (held_count < ARRAY_SIZE(held))
		held[held_count++] = call;
	else
		control_fail(call, 503, "too many");
}

static const struct control_route routes[] = {
	{ "GET", "/v1/status", get_plain },
	{ "GET", "/v1/images/*", get_rest },
	{ "POST", "/v1/track", post_names },
	{ "POST", "/v1/pause", post_parameter },
	{ "POST", "/v1/gc", post_held },
};

static void clean_up(void)
{
	control_destroy(control);
	event_base_free(base);
	rmdir(folder);
}

static struct sockaddr_un address_of(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	return address;
}

static void set_up(void)
{
	struct sockaddr_un address;
	_cleanup_error_ struct error error = {};

	if (!mkdtemp(folder))
		err(1, "%s", folder);
	address = address_of();
	base = event_base_new();
	check(base);
	control = control_create(base, routes, ARRAY_SIZE(routes), NULL);
	if (control_listen(control, address.sun_path, &error) < 0)
		errx(1, "%s", error.message);
	atexit(clean_up);
}

static void turn(void)
{
	check(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static void send_part(int fd, const uint8_t *data, size_t size)
{
	ssize_t sent;

	/* Who refuses a request may close before all of it is there. */
	while (size > 0) {
		sent = send(fd, data, size, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			return;
		if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
		}
		turn();
	}
}

/* All that comes until the other side closes; NUL-terminated. */
static size_t receive(int fd, char *buffer)
{
	size_t used = 0;
	unsigned idle = 0;

	for (;;) {
		ssize_t got;

		turn();
		got = recv(fd, buffer + used, ANSWER_MAX - used, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		if (got > 0) {
			used += (size_t)got;
			idle = 0;
			check(used < ANSWER_MAX);
			continue;
		}
		if (idle++ > IDLE_MAX) {
			/* Nothing but a call that is held may keep a connection. */
			check(held_count > 0);
			while (held_count > 0)
				control_reply(held[--held_count], 200, "{}\n");
			idle = 0;
		}
	}
	buffer[used] = '\0';
	return used;
}

static void check_json(const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	check(fuzz_is_utf8(text));
	check(json_object_is_type(object, json_type_object));
	json_object_put(object);
}

/* One answer; returns what lies behind it, NULL where that cannot be told. */
static char *check_answer(char *text)
{
	int major, minor, status, n = 0;
	char *body, *length;
	size_t size;

	/* libevent repeats the client's version. */
	check(sscanf(text, "HTTP/%d.%d %3d %n", &major, &minor, &status, &n) == 3 && n > 0);
	check((status >= 100 && status < 600));
	body = strstr(text, "\r\n\r\n");
	check(body);
	body[2] = '\0';
	body += 4;
	if (status == 100)
		return body;
	length = strcasestr(text, "\r\nContent-Length:");
	if (!length || !strstr(text, "\r\nContent-Type: application/json\r\n"))
		return NULL;
	size = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	/* HEAD is told the length alone. */
	if (strlen(body) < size)
		return NULL;
	length = xstrndup(body, size);
	check_json(length);
	free(length);
	return body + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buffer[ANSWER_MAX + 1];
	size_t split = fuzz_byte(&data, &size);
	struct sockaddr_un address;
	int fd;

	if (!base)
		set_up();
	address = address_of();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "%s", address.sun_path);
	split = MIN(split, size);
	send_part(fd, data, split);
	turn();
	send_part(fd, data + split, size - split);
	shutdown(fd, SHUT_WR);
	if (receive(fd, buffer) > 0)
		for (char *at = buffer; at && *at;)
			at = check_answer(at);
	close(fd);
	turn();
	/* Of clients that are gone. */
	while (held_count > 0)
		control_reply(held[--held_count], 200, "{}\n");
	return 0;
}
