/*
 * What the files of src/gate share.
 *
 * Threads: the main loop (channel, timers), N serving loops (gate_route.c, gate_request.c), one committer
 * (gate_commit.c), and libuv's for own detectors of a plan that has just come (gate_plans.c).  A request is decoded and
 * minimised on its loop, becomes a `parcel`, waits at the committer until it is durable, and is answered on its loop again.  Plans and tokens are immutable parts with reference counts; a loop takes
 * the ones of the moment under one short lock, so a cut-off holds from the next request on.
 */
#ifndef GATE_INSIDE_H
#define GATE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "contract/contract.h"
#include "gate/gate.h"
#include "http/http.h"
#include "log/block.h"
#include "log/link.h"
#include "log/log.h"
#include "plan/plan.h"
#include "supervisor/shared.h"

enum { VENDOR_NAME_MAX = 63, LOOPS_MAX = 64, COMMIT_BUCKETS = 12 };
enum { FLOW_SOURCES = 16, FLOW_CATEGORIES = 32, FLOW_NAME_MAX = 63, OWN_COUNTS = 2000 };	/* the last of each is "other" */

/* ---- metrics -------------------------------------------------------------------------------------------------- */

/* Rows of weir_events_total.  The first DROP_REASONS are plan_apply's, by number; the rest is the gate's own. */
enum count {
	COUNT_KEPT = DROP_NONE,
	COUNT_UNKNOWN_SOURCE = DROP_REASONS, COUNT_CONSENT, COUNT_LEARN,
	COUNT_UNREADABLE, COUNT_TOO_LARGE, COUNT_ROUTE, COUNT_REFUSED,
	COUNT_SUSPENDED, COUNT_QUARANTINED, COUNT_EXPIRED, COUNT_RESTRICTED, COUNT_NOT_APPROVED,
	COUNT_NO_PLAN, COUNT_QUOTA, COUNT_DISK, COUNT_MEMORY,
	COUNTS
};

struct commit_stats {
	_Atomic uint64_t bucket[COMMIT_BUCKETS + 1], count, sum_us, failed, frames;
	_Atomic bool failing;	/* the last one was refused */
	_Atomic uint64_t log_bytes;
};

/* ---- vendors (gate_plans.c) ----------------------------------------------------------------------------------- */

/* Why a vendor's events don't pass; in the order in which they are looked at. */
enum closed { PASSES, CLOSED_NO_PLAN, CLOSED_NOT_APPROVED, CLOSED_SUSPENDED, CLOSED_QUARANTINED, CLOSED_RESTRICTED };

struct plan_part {	/* immutable; freed with its last reference */
	_Atomic unsigned refs;
	struct plan_file file;
	struct plan *plan;	/* open, or restricted; NULL unless PASSES */
	uint16_t leaf_bytes;
	enum closed closed;
	struct flow_mask *masks;	/* one a category that may leave */
	size_t masks_len;
	struct own_count **own;	/* of each row of its own detectors (plan_own) */
};

struct flow_mask {	/* the plan's leaves of one category */
	unsigned category;	/* place in vendor.flow.categories */
	uint64_t leaves[PLAN_LEAF_WORDS];
};

/* Names are added under gate.lock and stay; what they count is added to without it. */
struct flow_counts {
	char sources[FLOW_SOURCES][FLOW_NAME_MAX + 1], categories[FLOW_CATEGORIES][FLOW_NAME_MAX + 1];
	_Atomic unsigned sources_len, categories_len;
	_Atomic uint64_t left[FLOW_SOURCES][FLOW_CATEGORIES];	/* fields */
	_Atomic uint64_t held[FLOW_SOURCES], events[FLOW_SOURCES];
};

struct token_part {
	_Atomic unsigned refs;
	size_t n;
	struct known_token {
		struct span token;
		unsigned source;	/* place in vendor.flow.sources */
	} v[];	/* behind it: the bytes */
};

/* What an own detector found.  Added by the main thread, stays; counted by the loops. */
struct own_count {
	char name[DETECT_RULE_NAME_MAX + 1];
	_Atomic uint64_t n;
	struct own_count *next;
};

struct vendor {		/* lives as long as the process */
	char name[VENDOR_NAME_MAX + 1];
	size_t name_len;
	uint64_t hash;
	unsigned index;		/* place in gate.vendors: loops cache by it */
	struct plan_part *plan;		/* NULL: none, or refused.  Under gate.lock, like the next two */
	struct token_part *tokens;
	const struct adapter *adapter;	/* of the last plan that was accepted: protocol of the refusals afterwards */
	_Atomic uint64_t counts[COUNTS];
	_Atomic uint64_t found[DETECT_TYPES];
	uint64_t announced;		/* plans; a later one takes the place of one that isn't ready yet */
	struct own_count *own;		/* of all plans it ever had, OWN_COUNTS at most */
	size_t own_len;
	struct flow_counts flow;
};

/* What a request works with; gate_view_release gives it back. */
struct view {
	struct vendor *vendor;
	const struct adapter *adapter;	/* may be NULL */
	struct plan_part *plan;		/* NULL: closed */
	struct token_part *tokens;	/* NULL: none have come */
};

/* ---- parcels -------------------------------------------------------------------------------------------------- */

struct loop;
struct learned;

struct parcel {		/* a minimised request on its way to the log and back */
	struct parcel *next;
	struct loop *home;
	struct http_request *rq;
	struct view view;
	const struct route *route;
	struct wire_style style;
	struct buf clear;	/* exposure block */
	struct buf links;	/* body of the LOG_LINK frame that goes before it; empty: none */
	struct buf objects;	/* kept objects, one behind the other */
	uint32_t kept, dropped;
	bool durable;		/* the committer's answer */
};

static inline size_t parcel_bytes(const struct parcel *p)
{
	return p->clear.len + p->links.len + p->objects.len;
}

/* ---- the process ---------------------------------------------------------------------------------------------- */

struct loop {
	struct gate *gate;
	unsigned number;
	pthread_t thread;
	uv_loop_t uv;
	uv_async_t wake;	/* parcels came back, or stop */
	struct http_server *server;
	pthread_mutex_t lock;
	struct parcel *back, **back_last;	/* under lock */
	bool stop, ended;			/* under lock */
	struct parcel *pool;
	/*
	 * While something is gathered the loop polls without waiting; a round that brings nothing more hands it over.  The
	 * busier the loop, the more requests share a sync.
	 */
	uv_prepare_t polling;
	uv_idle_t look;
	uv_check_t polled;
	bool gathering;			/* something came in this round */
	struct parcel *gathered, **gathered_last;
	int64_t gathered_us;		/* when the first of them came */
	struct apply_env env;
	struct apply_out out;
	struct pseudo *subject;
	struct pseudo **keys;	/* vendors' HMAC contexts, by vendor.index */
	size_t keys_len;
	int64_t day;
	uint8_t randoms[1024];
	size_t randoms_left;
	pthread_mutex_t learn_lock;	/* the tables of gate_learn.c, and their list */
	struct learned **learned;	/* by vendor.index */
	size_t learned_len;
	int64_t learn_second;
	uint32_t learn_vendors, learn_busy;	/* with events in this second, and in the last one */
	uint64_t learn_dice;
	uv_timer_t tick;		/* copies the server's figures out */
	struct {
		_Atomic uint64_t accepted, requests, syntax, limit, timeouts, open, held;
	} stats;
};

struct committer {
	struct gate *gate;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct parcel *first, **last;	/* under lock */
	_Atomic uint64_t waiting_bytes;
	bool idle, stop;		/* under lock */
	bool started;
	struct log_writer *log;
	uint8_t key[KEY_BYTES];		/* of the segment being written */
	struct commit_stats stats;
	int64_t said_us;		/* last complaint about a failed commit */
};

struct gate {
	struct child *child;
	const struct fio *io;
	uv_loop_t main;
	struct channel_watch channel;
	uv_timer_t timer, learn;
	uv_async_t stopped;	/* a loop has ended */
	_Atomic unsigned loops_left;
	bool ready, stopping;
	unsigned waited_ms;

	int listen, log_dir, plan_dir;
	struct log_mark *mark;
	const struct courier_mark *courier;
	const struct keeper_mark *keeper;
	uint8_t vendor_root[KEY_BYTES], subject_key[KEY_BYTES], courier_public[SEAL_PUBLIC], plan_public[32];
	struct http_tls *tls;
	struct http_limits limits;
	struct log_limits log_limits;

	pthread_mutex_t lock;
	struct vendor **vendors;	/* pointers stay; the array grows under lock */
	size_t vendors_len;
	_Atomic bool plans_known;	/* the keeper has named them all */
	char **host_names, **host_vendors;
	size_t hosts_len;

	struct committer committer;
	struct loop *loops;
	unsigned loops_len;
};

/* gate_plans.c */
struct vendor *gate_vendor_get(struct gate *g, const char *name);	/* made when it isn't there; main loop */
bool gate_view_take(struct gate *g, struct span name, struct view *out);	/* false: no such vendor */
void gate_view_release(struct view *v);
/*
 * The message `plan`.  done is called once, on this thread, with answer (which it owns) and NULL when the plan is obeyed; else why
 * not: then the vendor is closed, or another announcement came first.  It is called at once, but where own detectors have to be
 * made: that is another thread's, and until it is done the plan before goes on.
 */
typedef void gate_plan_done(struct gate *g, json_t *answer, const struct err *why);
void gate_plan_load(struct gate *g, json_t *body, json_t *answer, gate_plan_done *done);
void gate_tokens_load(struct gate *g, json_t *body);
/* The source's number, or -1. */
int gate_token_source(const struct token_part *t, struct span token);
/* PASSES with time taken into account; *why is the count for it. */
bool gate_plan_passes(const struct view *v, int64_t now_s, enum outcome *outcome, enum count *why);
/* What happens to an event of this vendor now: "passes", or the reason for which it is refused (a word of weir_events_total). */
const char *gate_vendor_does(const struct gate *g, struct vendor *v, int64_t now_s);
void gate_plans_release(struct gate *g);

/* gate_route.c */
void gate_route(struct http_request *rq, void *loop);
size_t gate_refusal(struct span origin, struct http_header out[static HTTP_REFUSAL_FIELDS]);	/* http_refusal */
/* Sends a wire_reply with the CORS fields that the request asks for. */
void gate_answer(struct http_request *rq, const struct wire_reply *reply);

/* gate_request.c */
void gate_request(struct loop *l, struct http_request *rq, struct view *v, const struct route *r, unsigned index,
		  struct span path, unsigned method);
void gate_request_done(struct parcel *p);	/* on its loop; durable is set */
void gate_loop_init(struct loop *l);
void gate_loop_release(struct loop *l);

/* gate_commit.c */
int gate_commit_start(struct gate *g, struct err *err);
/*
 * Keeps the parcel for the next gate_commit_flush; now_us: the request's time.  A sync for a few requests each would cost
 * more than the requests.  False: too much is waiting; the parcel stays the caller's.
 */
bool gate_commit_put(struct loop *l, struct parcel *p, int64_t now_us);
void gate_commit_flush(struct loop *l);
void gate_commit_stop(struct gate *g);

/* gate_learn.c: looks, perhaps, at an object of a known source; text: the request's JSON (a->src: where it stands in it). */
void gate_learn(struct loop *l, const struct view *v, unsigned source, const struct applied *a, const char *text, size_t n, int64_t now_s);
/* What was learned since goes to the steward; main loop. */
void gate_learn_send(struct gate *g);
void gate_learn_init(struct loop *l);
void gate_learn_release(struct loop *l);

/* gate_metrics.c */
static inline void gate_count(struct vendor *v, enum count c, uint64_t n)
{
	atomic_fetch_add_explicit(&v->counts[c], n, memory_order_relaxed);
}
const char *gate_count_reason(enum count c);	/* of those behind plan_apply's */
void gate_metrics_commit(struct commit_stats *s, int64_t took_us, bool ok, uint64_t frames);
/*
 * Fields of the objects that a source sent: those that left by category, and those that were held back.  Counted up for a
 * request and added to the vendor's counters when the source changes, and by the caller behind the last object.
 */
struct flow_tally {
	struct vendor *vendor;
	const struct plan_part *plan;
	unsigned source;
	uint64_t left[FLOW_CATEGORIES], held, events;
};
void gate_flow_count(struct flow_tally *t, unsigned source, const struct applied *a, bool kept);
void gate_flow_settle(struct flow_tally *t);
void gate_metrics_text(struct gate *g, struct buf *out);

#endif
