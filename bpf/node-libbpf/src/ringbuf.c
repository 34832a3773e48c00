/*
 * A ring buffer in the event loop.
 *
 * The map's descriptor is watched for its edges, that is, for what the kernel wakes readers for: producers that say
 * BPF_RB_NO_WAKEUP wake nobody, and a look every few milliseconds finds what they wrote. libuv watches levels, so that
 * an epoll instance of our own stands between.
 *
 * A reader that keeps up would be called for a handful of records at a time, and the calls would cost more than the
 * records; the producer would pay too, as the kernel interrupts itself to wake a reader that has read everything (10 us
 * on a virtual machine). So when batches follow each other closely, the next one waits for some milliseconds, provided
 * that by then the ring is not a quarter full at the rate just seen. A lone record is still delivered at once.
 *
 * One slab a turn of the loop is delivered, so that others have theirs in between.
 */
#include "addon.h"
#include "records.h"
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#define PAUSE_MS 5
#define PAUSE_NS (PAUSE_MS * 1000000.0)
/* Between two looks at what nobody was woken for. */
#define LOOK_MS 25

struct ring {
	struct records records;
	int edges; /* an epoll instance on the map */
	uv_poll_t poll;
	uv_timer_t pause;
	uv_timer_t look;
	int open_handles; /* of the loop's: poll, pause and look */
	uint64_t delivered; /* when, nanoseconds */
	napi_env env;
	bool is_polling;
	napi_ref slab;
	napi_ref callback;
	napi_async_context context;
	napi_async_cleanup_hook_handle cleanup;
	struct handle *handle; /* good while the ring is open */
};

static bool drain_into_slab(struct ring *ring, struct batch *batch)
{
	napi_value slab;
	const void *bytes;
	bool oversized;
	size_t room;

	/* Looked up each time: the memory may have been transferred to another thread, and has then no length. */
	if (napi_get_reference_value(ring->env, ring->slab, &slab) != napi_ok ||
	    !read_bytes(ring->env, slab, &bytes, &room))
		return false;
	*batch = records_drain(&ring->records, (char *)(uintptr_t)bytes, room, &oversized);
	if (oversized) {
		log_begin();
		throw_errno(ring->env, ENOBUFS, "ring", "A record is larger than the buffer of %zu bytes.", room);
		return false;
	}
	return true;
}

/* Hands one slab to JavaScript and returns what was in it. The ring may be closed by then. */
static struct batch deliver(struct ring *ring)
{
	napi_env env = ring->env;
	napi_handle_scope scope;
	napi_value callback, receiver, argv[2], error;
	struct batch batch = {};
	bool pending = false;

	napi_open_handle_scope(env, &scope);
	if (drain_into_slab(ring, &batch) && batch.count > 0) {
		napi_get_reference_value(env, ring->callback, &callback);
		napi_get_global(env, &receiver);
		argv[0] = make_number(env, batch.count);
		argv[1] = make_number(env, batch.bytes);
		/* Runs microtasks and process.nextTick afterwards, as for any event source. */
		napi_make_callback(env, ring->context, receiver, callback, 2, argv, NULL);
	}
	if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
		napi_get_and_clear_last_exception(env, &error);
		napi_fatal_exception(env, error);
	}
	napi_close_handle_scope(env, scope);
	return batch;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *pause);

/* Delivers, and decides when the next batch may come. */
static void deliver_and_wait(struct ring *ring)
{
	uint64_t before = ring->delivered, since;
	struct batch batch = deliver(ring);

	if (!ring->is_polling)
		return;
	ring->delivered = uv_hrtime();
	since = ring->delivered - before;
	if (since < PAUSE_NS && batch.bytes * (PAUSE_NS / since) < ring->records.mask / 4) {
		uv_poll_stop(&ring->poll);
		uv_timer_start(&ring->pause, on_pause_over, PAUSE_MS, 0);
	} else if (records_available(&ring->records)) {
		/* No edge will tell of what the slab had no room for. */
		uv_timer_start(&ring->pause, on_pause_over, 0, 0);
	}
}

static void on_pause_over(uv_timer_t *pause)
{
	struct ring *ring = pause->data;

	uv_poll_start(&ring->poll, UV_READABLE, on_readable);
	if (records_available(&ring->records))
		deliver_and_wait(ring);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct ring *ring = poll->data;
	struct epoll_event edge;

	(void)status;
	(void)events;
	epoll_wait(ring->edges, &edge, 1, 0);
	deliver_and_wait(ring);
}

static void on_look(uv_timer_t *look)
{
	struct ring *ring = look->data;

	if (!uv_is_active((uv_handle_t *)&ring->pause) && records_available(&ring->records))
		deliver_and_wait(ring);
}

static void ring_free(struct ring *ring)
{
	records_close(&ring->records);
	if (ring->edges >= 0)
		close(ring->edges);
	free(ring);
}

static void on_closed(uv_handle_t *handle)
{
	struct ring *ring = handle->data;

	if (--ring->open_handles > 0)
		return;
	napi_remove_async_cleanup_hook(ring->cleanup);
	ring_free(ring);
}

/* What is in the loop belongs to it until it has let go. */
static void ring_release(napi_env env, void *thing)
{
	struct ring *ring = thing;

	if (ring->slab)
		napi_delete_reference(env, ring->slab);
	if (ring->callback)
		napi_delete_reference(env, ring->callback);
	if (ring->context)
		napi_async_destroy(env, ring->context);
	ring->slab = NULL;
	ring->callback = NULL;
	ring->context = NULL;
	if (ring->is_polling) {
		ring->is_polling = false;
		uv_close((uv_handle_t *)&ring->poll, on_closed);
		uv_close((uv_handle_t *)&ring->pause, on_closed);
		uv_close((uv_handle_t *)&ring->look, on_closed);
	} else {
		ring_free(ring);
	}
}

/* The environment (a worker, or the process) ends while the ring is open. */
static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data)
{
	struct ring *ring = data;

	(void)hook;
	if (!ring->is_polling)
		return; /* closing already; on_closed removes the hook */
	ring->handle->thing = NULL;
	ring_release(ring->env, ring);
}

static int ring_start_polling(napi_env env, struct ring *ring, napi_value callback)
{
	struct epoll_event edge = { .events = EPOLLIN | EPOLLET };
	uv_loop_t *loop;
	int err;

	napi_create_reference(env, callback, 1, &ring->callback);
	napi_async_init(env, NULL, make_text(env, "BpfRingBuffer"), &ring->context);
	napi_get_uv_event_loop(env, &loop);
	ring->edges = epoll_create1(EPOLL_CLOEXEC);
	if (ring->edges < 0 || epoll_ctl(ring->edges, EPOLL_CTL_ADD, ring->records.fd, &edge))
		return -errno;
	err = uv_poll_init(loop, &ring->poll, ring->edges);
	if (err)
		return err;
	uv_timer_init(loop, &ring->pause);
	uv_timer_init(loop, &ring->look);
	ring->poll.data = ring;
	ring->pause.data = ring;
	ring->look.data = ring;
	ring->open_handles = 3;
	ring->is_polling = true;
	uv_timer_start(&ring->look, on_look, LOOK_MS, LOOK_MS);
	return uv_poll_start(&ring->poll, UV_READABLE, on_readable);
}

static napi_value ring_open(napi_env env, napi_callback_info info)
{
	struct ring *ring;
	struct map *map;
	napi_value argv[3], value;
	const void *bytes;
	size_t size;
	int err;

	log_begin();
	if (!read_args(env, info, 3, argv) || !(map = handle_get(env, argv[0], HANDLE_MAP, "ring")) ||
	    !read_bytes(env, argv[1], &bytes, &size))
		return NULL;
	if (map->type != BPF_MAP_TYPE_RINGBUF)
		return throw_errno(env, EINVAL, "ring", "Map %s is no ring buffer.", map->name);
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return throw_errno(env, ENOMEM, "ring", "There is no memory for a ring buffer.");
	ring->env = env;
	ring->edges = -1;
	err = records_open(&ring->records, map->fd, map->max_entries);
	if (err) {
		ring_free(ring);
		return throw_errno(env, err, "ring", "The memory of map %s cannot be mapped.", map->name);
	}
	napi_create_reference(env, argv[1], 1, &ring->slab);
	value = handle_new(env, HANDLE_RING, ring, ring_release);
	if (!value || is_undefined(env, argv[2]))
		return value;
	napi_get_value_external(env, value, (void **)&ring->handle);
	/* Before polling starts, since on_closed expects the hook. */
	napi_add_async_cleanup_hook(env, on_environment_end, ring, &ring->cleanup);
	err = ring_start_polling(env, ring, argv[2]);
	if (err) {
		if (!ring->is_polling)
			napi_remove_async_cleanup_hook(ring->cleanup);
		ring->handle->thing = NULL;
		ring_release(env, ring);
		return throw_errno(env, err, "ring", "The ring buffer of map %s cannot be watched.", map->name);
	}
	return value;
}

static napi_value ring_drain(napi_env env, napi_callback_info info)
{
	struct ring *ring;
	struct batch batch;
	napi_value argv[1], result;

	log_begin();
	if (!read_args(env, info, 1, argv) || !(ring = handle_get(env, argv[0], HANDLE_RING, "ring")) ||
	    !drain_into_slab(ring, &batch))
		return NULL;
	napi_create_object(env, &result);
	set_property(env, result, "count", make_number(env, batch.count));
	set_property(env, result, "bytes", make_number(env, batch.bytes));
	return result;
}

static napi_value ring_available(napi_env env, napi_callback_info info)
{
	struct ring *ring;
	napi_value argv[1];

	log_begin();
	if (!read_args(env, info, 1, argv) || !(ring = handle_get(env, argv[0], HANDLE_RING, "ring")))
		return NULL;
	return make_number(env, records_available(&ring->records));
}

static napi_value ring_ref(napi_env env, napi_callback_info info)
{
	struct ring *ring;
	napi_value argv[2];
	bool on = true;

	log_begin();
	if (!read_args(env, info, 2, argv) || !(ring = handle_get(env, argv[0], HANDLE_RING, "ring")))
		return NULL;
	napi_get_value_bool(env, argv[1], &on);
	if (ring->is_polling) {
		void (*change)(uv_handle_t *) = on ? uv_ref : uv_unref;

		change((uv_handle_t *)&ring->poll);
		change((uv_handle_t *)&ring->pause);
		change((uv_handle_t *)&ring->look);
	}
	return NULL;
}

const struct function ring_functions[] = {
	{ "ringOpen", ring_open },
	{ "ringDrain", ring_drain },
	{ "ringAvailable", ring_available },
	{ "ringRef", ring_ref },
	{ NULL, NULL },
};
