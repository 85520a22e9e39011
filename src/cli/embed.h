/* Files of catalog/ that the program carries (made by script/embed); closed with a NULL name. */
#ifndef CLI_EMBED_H
#define CLI_EMBED_H

#include <stddef.h>

struct embedded {
	const char *name;	/* "starter/mixpanel.yaml" */
	const char *at;		/* a 0 stands behind it */
	size_t len;
};
extern const struct embedded embedded_files[];

#endif
