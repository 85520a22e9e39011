#include "supervisor/shared.h"

#include <sys/mman.h>

void *shared_map(int fd, bool write, struct err *err)
{
	void *p = mmap(NULL, SHARED_BYTES, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		err_sys(err, "shared memory");
		return NULL;
	}
	return p;
}

uint64_t shared_vendor_hash(const char *vendor)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (const unsigned char *p = (const unsigned char *)vendor; *p; p++)
		h = (h ^ *p) * 0x100000001b3u;
	return h ? h : 1;
}

bool courier_mark_is_full(const struct courier_mark *m, uint64_t hash)
{
	if (atomic_load_explicit(&m->all_full, memory_order_relaxed))
		return true;
	for (size_t i = 0; i < COURIER_FULL_SLOTS; i++)
		if (atomic_load_explicit(&m->full[i], memory_order_relaxed) == hash)
			return true;
	return false;
}

void courier_mark_set_full(struct courier_mark *m, uint64_t hash, bool full)
{
	size_t empty = COURIER_FULL_SLOTS;
	for (size_t i = 0; i < COURIER_FULL_SLOTS; i++) {
		uint64_t v = atomic_load(&m->full[i]);
		if (v == hash) {
			if (!full)
				atomic_store(&m->full[i], 0);
			return;
		}
		if (v == 0 && empty == COURIER_FULL_SLOTS)
			empty = i;
	}
	if (!full)
		return;
	if (empty == COURIER_FULL_SLOTS)
		atomic_store(&m->all_full, 1);
	else
		atomic_store(&m->full[empty], hash);
}
