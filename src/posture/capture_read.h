/* For tests: a capture from JSON, in the shape of MDN Observatory's fixtures, which are read as they are. */
#ifndef POSTURE_CAPTURE_READ_H
#define POSTURE_CAPTURE_READ_H

#include <jansson.h>

#include "posture/posture.h"

/*
 * {"site":{"hostname"}, "profile", "at": seconds, "session":{"url"}, "corsOrigin", "cookies": [text], "preloaded": [host],
 *  "responses":{"auto","http","https","cors": {"status","verified","headers":{name: text|[text]}}|null,
 *               "httpRedirects":[{"url","status"}]},
 *  "resources":{"path": page}}
 * j and a must outlive the capture.
 */
void capture_read(const json_t *j, struct arena *a, struct posture_capture *out);

#endif
