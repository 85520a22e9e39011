/*
 * What commands do while Weir is stopped: the same requests, answered in the process that holds run/lock, with the
 * same functions that steward and keeper use.  A cut-off made here is the signed plan that `weir serve` starts with.
 */
#ifndef STEWARD_OFFICE_H
#define STEWARD_OFFICE_H

#include <jansson.h>

#include "base/err.h"

/*
 * dir: the folder; the caller holds its lock.  Always an answer (new reference), as on the control socket.
 */
json_t *office_do(const char *dir, const json_t *request);

#endif
