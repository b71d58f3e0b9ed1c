/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded, it writes down which of OpenSSL's functions are called: see test_tls_unused.py. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *name)
{
	int fd = open(getenv("TLS_CALLS"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, name, strlen(name)) < 0 || write(fd, "\n", 1) < 0)
		abort();
	close(fd);
}

/* What a library does once, whoever asks for it. */
int OPENSSL_init_ssl(uint64_t options, const void *settings)
{
	int (*next)(uint64_t, const void *) = dlsym(RTLD_NEXT, "OPENSSL_init_ssl");

	note("OPENSSL_init_ssl");
	return next(options, settings);
}

/* What a connection with TLS begins with: authorities are read into it. */
void *SSL_CTX_new(const void *method)
{
	void *(*next)(const void *) = dlsym(RTLD_NEXT, "SSL_CTX_new");

	note("SSL_CTX_new");
	return next(method);
}
