/*
 * A real file system whose power can be cut, for tests: an image on a loop device, mounted in a mount namespace of its
 * own, shut down by FS_IOC_SHUTDOWN without flushing its journal, unmounted and mounted again.  Needs root and loop
 * devices.
 */
#ifndef BASE_POWER_LAB_H
#define BASE_POWER_LAB_H

#include <stddef.h>

struct power;

/* kind: "ext4" or "xfs".  NULL with the reason when this machine can't; then the test is skipped. */
struct power *power_new(const char *kind, char *why, size_t why_size);
void power_free(struct power **p);
const char *power_path(const struct power *p);	/* of the mounted folder */

/*
 * Cuts the power: nothing written from now on reaches the disk.  Then kill the writers, close every handle, and call
 * power_back.  Both: 0, or -1 with errno.
 *
 * A sync that is under way may return 0 without being durable.  That is a fault of the ioctl alone (a machine without
 * power returns nothing): on ext4 13 of 200 cuts, on XFS mostly for folders, for files 1 of 1,300.  So either stop the
 * writers before and wait for that, or set a flag in shared memory before and count nothing as acknowledged that
 * returned when the flag was set.
 */
int power_cut(struct power *p);
int power_back(struct power *p);

#endif
