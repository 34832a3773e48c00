/* The shared memory of a ring buffer map, as its consumer sees it. */
#ifndef NODE_LIBBPF_RECORDS_H
#define NODE_LIBBPF_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct records {
	int fd;
	size_t page;
	uint64_t mask; /* of positions: size of the data area less 1 */
	uint64_t *consumer;
	uint64_t *producer;
	char *data;
};

struct batch {
	size_t count;
	size_t bytes;
};

/* Holds a duplicate of the map's descriptor. Returns 0 or a negative errno; to be closed in both cases. */
int records_open(struct records *records, int map_fd, uint32_t size);
void records_close(struct records *records);
/* Copies records into the slab while they fit. *oversized is set when not even one does. */
struct batch records_drain(struct records *records, char *slab, size_t room, bool *oversized);
/* Bytes that were produced and not consumed. */
uint64_t records_available(const struct records *records);

#endif
