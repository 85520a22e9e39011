/* Bind and listen on an address that a person wrote. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http.h"

/* "[::1]:80" -> "::1", "80"; ":80" -> "", "80". */
static int split_address(const char *addr, char host[static 256], char port[static 8], struct err *err)
{
	const char *colon = strrchr(addr, ':');
	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
	    atoi(colon + 1) > 65535)
		return err_set(err, ERR_INPUT, "address %s: expected HOST:PORT", addr);
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	size_t n = (size_t)(colon - addr);
	if (n >= 2 && addr[0] == '[' && addr[n - 1] == ']')
		addr++, n -= 2;
	else if (memchr(addr, ':', n))
		return err_set(err, ERR_INPUT, "address %s: an IPv6 address stands in [ ]", addr);
	if (n >= 256)
		return err_set(err, ERR_INPUT, "address is too long");
	memcpy(host, addr, n);
	host[n] = 0;
	return 0;
}

static int open_listener(const struct addrinfo *ai)
{
	int one = 1, zero = 0;
	int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	int e = errno;
	close(fd);
	errno = e;
	return -1;
}

static void name_bound(int fd, char bound[static 64])
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	char host[48] = "", port[8] = "";
	if (getsockname(fd, (struct sockaddr *)&ss, &n) == 0)
		getnameinfo((struct sockaddr *)&ss, n, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(bound, 64, ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int http_listen(const char *addr, int *fd, char bound[static 64], struct err *err)
{
	char host[256], port[8];
	if (split_address(addr, host, port, err) != 0)
		return -1;
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
	int r = getaddrinfo(host[0] ? host : NULL, port, &hints, &found);
	if (r != 0)
		return err_set(err, ERR_INPUT, "address %s: %s", addr, gai_strerror(r));
	/* No host: both families through one IPv6 socket where there is IPv6. */
	int got = -1, wanted[] = {host[0] ? AF_UNSPEC : AF_INET6, AF_UNSPEC};
	for (size_t i = 0; i < 2 && got < 0; i++)
		for (struct addrinfo *ai = found; ai && got < 0; ai = ai->ai_next)
			if (wanted[i] == AF_UNSPEC || ai->ai_family == wanted[i])
				got = open_listener(ai);
	int e = errno;
	freeaddrinfo(found);
	errno = e;
	if (got < 0)
		return errno == EADDRINUSE ? err_set(err, ERR_CONFLICT, "address %s is in use", addr) : err_sys(err, "listen on %s", addr);
	name_bound(got, bound);
	*fd = got;
	return 0;
}
