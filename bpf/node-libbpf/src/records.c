/*
 * The consumer of a ring buffer map.
 *
 * The kernel lays records out as { u32 length and two flag bits, u32 page offset, data, padding to 8 bytes }
 * (kernel/bpf/ringbuf.c, Documentation/bpf/ringbuf.rst). That is the layout the slab is promised to have, so committed
 * records are copied as they lie, as many as fit, with one copy between discarded ones; libbpf's ring_buffer would cost
 * a call for each.
 *
 * The data pages can be mapped twice in a row, so that no record is ever split. They are mapped once: each mapping
 * counts as resident memory, and a copy that wraps is no trouble. A length never wraps, as all is aligned to 8.
 */
#include "records.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int records_open(struct records *records, int map_fd, uint32_t size)
{
	void *memory;

	*records = (struct records){ .page = sysconf(_SC_PAGESIZE), .mask = size - 1 };
	records->fd = fcntl(map_fd, F_DUPFD_CLOEXEC, 0);
	if (records->fd < 0)
		return -errno;
	memory = mmap(NULL, records->page, PROT_READ | PROT_WRITE, MAP_SHARED, records->fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	records->consumer = memory;
	memory = mmap(NULL, records->page + (size_t)size, PROT_READ, MAP_SHARED, records->fd, records->page);
	if (memory == MAP_FAILED)
		return -errno;
	records->producer = memory;
	records->data = (char *)memory + records->page;
	return 0;
}

void records_close(struct records *records)
{
	if (records->consumer)
		munmap(records->consumer, records->page);
	if (records->producer)
		munmap(records->producer, records->page + records->mask + 1);
	if (records->fd >= 0)
		close(records->fd);
}

static void copy(const struct records *records, char *to, uint64_t position, size_t length)
{
	size_t at = position & records->mask, until_wrap = records->mask + 1 - at;
	size_t first = length < until_wrap ? length : until_wrap;

	memcpy(to, records->data + at, first);
	memcpy(to + first, records->data, length - first);
}

struct batch records_drain(struct records *records, char *slab, size_t room, bool *oversized)
{
	uint64_t position = *records->consumer;
	uint64_t end = __atomic_load_n(records->producer, __ATOMIC_ACQUIRE);
	uint64_t start = position; /* of a run of records that is copied at once */
	struct batch batch = {};

	*oversized = false;
	while (position < end) {
		uint32_t *header = (uint32_t *)(records->data + (position & records->mask));
		uint32_t length = __atomic_load_n(header, __ATOMIC_ACQUIRE);
		uint32_t whole;

		if (length & BPF_RINGBUF_BUSY_BIT)
			break;
		whole = ((length & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
		if (length & BPF_RINGBUF_DISCARD_BIT) {
			copy(records, slab + batch.bytes, start, position - start);
			batch.bytes += position - start;
			position += whole;
			start = position;
			continue;
		}
		if (batch.bytes + (position - start) + whole > room) {
			*oversized = batch.count == 0;
			break;
		}
		position += whole;
		batch.count++;
	}
	copy(records, slab + batch.bytes, start, position - start);
	batch.bytes += position - start;
	/* From here on the kernel may overwrite what was copied. */
	__atomic_store_n(records->consumer, position, __ATOMIC_RELEASE);
	return batch;
}

uint64_t records_available(const struct records *records)
{
	return __atomic_load_n(records->producer, __ATOMIC_ACQUIRE) - *records->consumer;
}
