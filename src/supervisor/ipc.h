/*
 * The channel's packets, as supervisor.c forwards them and child.c sends and reads them.  Second header of this folder
 * because those two share it; other folders use child.h.
 *
 * A packet is a fixed head and a JSON body, or the head alone with the body in a sealed memfd (its last descriptor).
 * The supervisor reads heads only: it checks sender, receiver and verb against ipc_routes, stamps `from` with the role
 * whose channel the packet came in on, and passes it on.
 */
#ifndef SUPERVISOR_IPC_H
#define SUPERVISOR_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/child.h"

enum { PACKET_INLINE = 48 << 10, PACKET_FDS = MESSAGE_FDS + 1 };

struct packet_head {
	uint8_t from, to;	/* enum role */
	uint8_t in_memfd;
	uint8_t zero;
	char verb[24];		/* closed with 0 */
	uint32_t len;		/* of the body */
};

struct packet {
	struct packet_head head;
	uint8_t *body;		/* head.len bytes, or NULL when in_memfd */
	int fds[PACKET_FDS];
	size_t fds_len;
};
void packet_release(struct packet *p);	/* closes the descriptors, wipes the body */

/* Takes over body; fds are duplicated. */
int packet_make(enum role to, const char *verb, json_t *body, const int *fds, size_t fds_len, struct packet *out, struct err *err);
/* 1 sent, 0 would block, -1 the other side has gone. */
int packet_send(int channel, const struct packet *p);
/* 1 packet, 0 nothing now, -1 the other side has gone (ERR_IO) or sent what isn't a packet (ERR_CORRUPT). */
int packet_receive(int channel, struct packet *p, struct err *err);
/* Parses the body; takes the packet over in every case. */
int packet_open(struct packet *p, struct message *m, struct err *err);

/* May this role send this verb to that one, with so many descriptors? */
bool ipc_allowed(unsigned from, unsigned to, const char *verb, size_t fds_len);

/* From here on jansson's memory is wiped when it is freed: keys and credentials pass through it. */
void ipc_wipe_json(void);

/* A pair of close-on-exec SOCK_SEQPACKET sockets with large buffers, both non-blocking. */
int ipc_pair(int pair[2], struct err *err);

#endif
