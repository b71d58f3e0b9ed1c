/* SPDX-License-Identifier: Apache-2.0 */
/* The libraries that it is built with, set up as dockergcd does, and nothing else: see footprint.
 */
#include <stdio.h>
#include <unistd.h>

#ifdef WITH_LIBEVENT
#include <event2/event.h>
#include <event2/http.h>
#endif
#ifdef WITH_LIBCURL
#include <curl/curl.h>
#endif
#ifdef WITH_JSON_C
#include <json-c/json.h>
#endif
#ifdef WITH_LIBCONFIG
#include <libconfig.h>
#endif
#ifdef WITH_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#endif

/* With an argument it ends at once, else it says so and waits. */
int main(int argc, char **argv)
{
#ifdef WITH_LIBEVENT
	evhttp_new(event_base_new());
#endif
#ifdef WITH_LIBCURL
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl_multi_add_handle(curl_multi_init(), curl_easy_init());
#endif
#ifdef WITH_JSON_C
	json_tokener_parse("{\"Id\":\"sha256:0\"}");
#endif
#ifdef WITH_LIBCONFIG
	config_t config;

	config_init(&config);
	config_read_string(&config, "gc: { enabled = true; };");
#endif
#ifdef WITH_LIBSYSTEMD
	sd_notify(0, "READY=1");
#endif
	if (argc > 1)
		return 0;
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
