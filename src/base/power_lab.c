#include "base/power_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#define SHUTDOWN _IOR('X', 125, uint32_t)	/* FS_IOC_SHUTDOWN of ext4 and XFS */
enum { NOLOGFLUSH = 2, IMAGE_MIB = 320 };	/* mkfs.xfs wants 300 */

struct power {
	char kind[8], folder[64], image[80], mount[80], device[32];
	int loop;	/* holds the device while nothing is mounted */
	bool mounted;
};

static struct power *give_up(struct power *p, char *why, size_t why_size, const char *what)
{
	snprintf(why, why_size, "%s: %s", what, strerror(errno));
	power_free(&p);
	return NULL;
}

static int loop_attach(struct power *p)
{
	int image = open(p->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600), control = -1, n = -1, rc = -1;
	if (image >= 0 && ftruncate(image, (off_t)IMAGE_MIB << 20) == 0)
		control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	for (int tries = 0; control >= 0 && rc < 0 && tries < 20; tries++) {	/* others take devices too */
		n = ioctl(control, LOOP_CTL_GET_FREE);
		if (n < 0)
			break;
		snprintf(p->device, sizeof p->device, "/dev/loop%d", n);
		p->loop = open(p->device, O_RDWR | O_CLOEXEC);
		struct loop_config c = {.fd = (uint32_t)image, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
		rc = p->loop < 0 ? -1 : ioctl(p->loop, LOOP_CONFIGURE, &c);
		if (rc < 0 && p->loop >= 0)
			close(p->loop);
	}
	if (rc < 0)
		p->loop = -1;
	int sys = errno;
	if (image >= 0)
		close(image);
	if (control >= 0)
		close(control);
	errno = sys;
	return rc;
}

static int attach_mount(struct power *p)
{
	if (mount(p->device, p->mount, p->kind, MS_NOATIME, NULL) < 0)
		return -1;
	p->mounted = true;
	return 0;
}

struct power *power_new(const char *kind, char *why, size_t why_size)
{
	struct power *p = xcalloc(1, sizeof *p);
	const char *tmp = getenv("TMPDIR");
	p->loop = -1;
	snprintf(p->kind, sizeof p->kind, "%s", kind);
	snprintf(p->folder, sizeof p->folder, "%.40s/weir-power-XXXXXX", tmp ? tmp : "/tmp");
	if (geteuid() != 0) {
		errno = EPERM;
		return give_up(p, why, why_size, "needs root");
	}
	if (!mkdtemp(p->folder)) {
		p->folder[0] = 0;
		return give_up(p, why, why_size, "temporary folder");
	}
	snprintf(p->image, sizeof p->image, "%s/image", p->folder);
	snprintf(p->mount, sizeof p->mount, "%s/mnt", p->folder);
	if (mkdir(p->mount, 0700) < 0)
		return give_up(p, why, why_size, "temporary folder");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return give_up(p, why, why_size, "mount namespace");
	if (loop_attach(p) < 0)
		return give_up(p, why, why_size, "loop device");
	char cmd[160];
	snprintf(cmd, sizeof cmd, "mkfs.%s -q %s %s >/dev/null 2>&1", kind, strcmp(kind, "xfs") == 0 ? "-f" : "-F", p->device);
	errno = ENOENT;
	if (system(cmd) != 0)
		return give_up(p, why, why_size, "mkfs");
	if (attach_mount(p) < 0)
		return give_up(p, why, why_size, "mount");
	return p;
}

void power_free(struct power **pp)
{
	struct power *p = *pp;
	if (!p)
		return;
	if (p->mounted)
		umount2(p->mount, MNT_DETACH);
	if (p->loop >= 0)
		close(p->loop);
	if (p->folder[0]) {
		unlink(p->image);
		rmdir(p->mount);
		rmdir(p->folder);
	}
	free(p);
	*pp = NULL;
}

const char *power_path(const struct power *p)
{
	return p->mount;
}

int power_cut(struct power *p)
{
	int fd = open(p->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	uint32_t how = NOLOGFLUSH;
	int rc = ioctl(fd, SHUTDOWN, &how), sys = errno;
	close(fd);
	errno = sys;
	return rc;
}

int power_back(struct power *p)
{
	enum { TRIES = 1000, PAUSE_US = 1000 };	/* a killed writer's handles go a moment after it is reaped */
	int rc = -1;
	for (int i = 0; i < TRIES && rc < 0; i++) {
		rc = umount2(p->mount, 0);
		if (rc < 0 && errno != EBUSY)
			return -1;
		if (rc < 0)
			usleep(PAUSE_US);
	}
	if (rc < 0)
		return -1;
	p->mounted = false;
	return attach_mount(p);
}
