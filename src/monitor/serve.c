/* SPDX-License-Identifier: BSD-2-Clause */
#include "monitor/serve.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "monitor/clients.h"
#include "monitor/credentials.h"
#include "monitor/listen.h"
#include "monitor/metrics.h"
#include "monitor/web_api.h"
#include "monitor/web_files.h"

#define CONNECTIONS_MAX	   400
#define CONNECTIONS_MIN	   4
#define STREAMS_MAX	   128  /* of them, live pages */
#define WAITING_MAX	   240  /* and others; beyond that the oldest is ended */
#define REQUEST_BYTES_MAX  16384
#define IDLE_SECONDS	   15
#define PEM_BYTES_MAX	   (1 << 20)

/* A document of one sample and of what the alerts said then, made when somebody first asks for it and
 * shared by all who ask.  Touched by the answering thread only. */
struct document {
	unsigned references;
	uint64_t sequence, alerts; /* of the sample and of the alerts' report */
	char *text;
	size_t bytes;
};

enum document_kind {
	DOCUMENT_METRICS, /* and 3 more: per process, OpenMetrics, both */
	DOCUMENT_METRICS_LAST = DOCUMENT_METRICS + 3,
	DOCUMENT_PROCESSES,
	DOCUMENT_EVENT,
	DOCUMENT_ALERTS,
	DOCUMENT_ALERTS_EVENT,
	DOCUMENTS,
};

/* A live page. */
struct stream {
	struct serve *serve;
	struct MHD_Connection *connection;
	struct document *document; /* what it is reading; NULL: it waits for the next */
	size_t offset;
	uint64_t sequence, alerts; /* it has had these */
	bool reads_alerts;   /* the document is of these */
	bool is_suspended; /* guarded by serve->lock, as are the links */
	struct stream *next, *previous;
};

struct serve {
	struct serve_options options;
	struct monitor_feed *feed;
	struct MHD_Daemon *daemon;
	struct credentials *credentials;
	struct monitor_users users;
	struct web_api_facts facts;
	struct document *cached[DOCUMENTS];
	struct clients clients; /* touched by the answering thread only */
	unsigned connections_max;
	size_t streams_max;
	char url[LISTEN_TEXT_BYTES + 16];
	char log[SERVE_WHY_BYTES]; /* the last that the library said while it started */
	pthread_t starter;
	bool is_open; /* nobody has to say who he is */
	pthread_mutex_t lock; /* the streams; held for a moment only, as the sampling thread takes it */
	struct stream *streams;
	size_t n_streams;
	bool is_stopping;
};

struct request {
	struct serve *serve;
	struct MHD_Connection *connection;
	const char *path;
	bool is_head;
};

static const char security_policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* Answers */

static enum MHD_Result send_response(const struct request *request, unsigned status,
				     struct MHD_Response *response, const char *content_type,
				     const char *caching)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", content_type);
	(void)MHD_add_response_header(response, "Cache-Control", caching);
	(void)MHD_add_response_header(response, "Content-Security-Policy", security_policy);
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	(void)MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, "Allow", "GET, HEAD");
	if (status == MHD_HTTP_UNAUTHORIZED) {
		(void)MHD_add_response_header(response, "WWW-Authenticate",
					      "Basic realm=\"tendril\", charset=\"UTF-8\"");
		(void)MHD_add_response_header(response, "WWW-Authenticate",
					      "Bearer realm=\"tendril\"");
	}
	result = MHD_queue_response(request->connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result say(const struct request *request, unsigned status, const char *line)
{
	/* The library's parameter is not const, but copied it is not changed. */
	return send_response(request, status,
			     MHD_create_response_from_buffer(strlen(line), (void *)(uintptr_t)line,
							     MHD_RESPMEM_MUST_COPY),
			     "text/plain; charset=utf-8", "no-store");
}

/* Documents */

static void release_document(void *param)
{
	struct document *document = param;

	if (!document || --document->references)
		return;
	free(document->text);
	free(document);
}

/* What documents are made of: the newest, to be released. */
struct newest {
	struct monitor_snapshot *snapshot;
	struct alert_report *report; /* NULL: there are no alerts */
};

static struct newest take_newest(struct serve *serve)
{
	return (struct newest){ monitor_feed_take(serve->feed), monitor_feed_alerts(serve->feed) };
}

static void release_newest(struct newest *newest)
{
	monitor_snapshot_release(newest->snapshot);
	alert_report_release(newest->report);
}

static uint64_t alerts_version(const struct newest *newest)
{
	return newest->report ? newest->report->version : 0;
}

static int write_metrics(struct serve *serve, unsigned variant, const struct newest *newest, FILE *out)
{
	const struct metrics_options options = {
		.max_series = serve->options.max_series,
		.per_pid = variant & 1,
		.format = variant & 2 ? METRICS_OPENMETRICS : METRICS_PROMETHEUS,
		.alerts = newest->report,
	};

	return metrics_write(out, newest->snapshot, &serve->users, &options);
}

static int write_document(struct serve *serve, enum document_kind kind,
			  const struct newest *newest, FILE *out)
{
	if (kind <= DOCUMENT_METRICS_LAST)
		return write_metrics(serve, kind - DOCUMENT_METRICS, newest, out);
	if (kind == DOCUMENT_EVENT)
		(void)fprintf(out, "id: %llu\ndata: ", (unsigned long long)newest->snapshot->sequence);
	if (kind == DOCUMENT_ALERTS_EVENT)
		(void)fputs("event: alerts\ndata: ", out);
	if (kind == DOCUMENT_ALERTS || kind == DOCUMENT_ALERTS_EVENT)
		web_api_alerts(out, newest->report);
	else
		web_api_processes(out, newest->snapshot, &serve->users, &serve->facts);
	if (kind == DOCUMENT_EVENT || kind == DOCUMENT_ALERTS_EVENT)
		(void)fputc('\n', out);
	return 0;
}

static struct document *make_document(struct serve *serve, enum document_kind kind,
				      const struct newest *newest)
{
	struct document *document = calloc(1, sizeof(*document));
	FILE *out = document ? open_memstream(&document->text, &document->bytes) : NULL;
	bool failed;

	if (!out) {
		free(document);
		return NULL;
	}
	document->references = 1;
	document->sequence = newest->snapshot->sequence;
	document->alerts = alerts_version(newest);
	failed = write_document(serve, kind, newest, out) < 0;
	failed |= ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		release_document(document);
		return NULL;
	}
	return document;
}

static bool is_of(const struct document *document, const struct newest *newest)
{
	return document && document->sequence == newest->snapshot->sequence &&
	       document->alerts == alerts_version(newest);
}

/* That of the newest sample, to be released; NULL: no memory. */
static struct document *take_document(struct serve *serve, enum document_kind kind)
{
	struct newest newest = take_newest(serve);
	struct document *cached = serve->cached[kind];

	if (!is_of(cached, &newest)) {
		release_document(cached);
		cached = make_document(serve, kind, &newest);
		serve->cached[kind] = cached;
	}
	release_newest(&newest);
	if (cached)
		cached->references++;
	return cached;
}

static enum MHD_Result send_document(const struct request *request, enum document_kind kind,
				     const char *content_type)
{
	struct document *document = take_document(request->serve, kind);
	struct MHD_Response *response;

	if (!document)
		return say(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	response = MHD_create_response_from_buffer_with_free_callback_cls(
		document->bytes, document->text, release_document, document);
	if (!response)
		release_document(document);
	else if (kind <= DOCUMENT_METRICS_LAST)
		(void)MHD_add_response_header(response, "Vary", "Accept");
	return send_response(request, MHD_HTTP_OK, response, content_type, "no-store");
}

/* Live pages */

enum news { NEWS_NONE, NEWS_SAMPLE, NEWS_ALERTS };

/* Who reads slowly finds always both new, and gets them in turns. */
static enum news news_for(const struct stream *stream)
{
	struct newest newest = take_newest(stream->serve);
	bool has_sample = newest.snapshot->sequence != stream->sequence;
	bool has_alerts = alerts_version(&newest) != stream->alerts;

	release_newest(&newest);
	if (has_sample && (stream->reads_alerts || !has_alerts || !stream->sequence))
		return NEWS_SAMPLE;
	return has_alerts ? NEWS_ALERTS : NEWS_NONE;
}

/* Under the lock, so that a sample which comes just now either is seen or wakes us. */
static ssize_t wait_for_news(struct stream *stream, enum news *ret_news)
{
	struct serve *serve = stream->serve;
	ssize_t r = 0;

	pthread_mutex_lock(&serve->lock);
	*ret_news = news_for(stream);
	if (serve->is_stopping) {
		r = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (*ret_news == NEWS_NONE) {
		stream->is_suspended = true;
		MHD_suspend_connection(stream->connection);
	} else {
		r = 1; /* go on */
	}
	pthread_mutex_unlock(&serve->lock);
	return r;
}

/* A page that reads slowly leaves samples out, as each begins with the newest there is. */
static ssize_t read_stream(void *param, uint64_t position, char *buffer, size_t room)
{
	struct stream *stream = param;
	size_t bytes;

	if (!stream->document) {
		enum news news;
		ssize_t r = wait_for_news(stream, &news);

		if (r <= 0)
			return r;
		stream->reads_alerts = news == NEWS_ALERTS;
		stream->document = take_document(stream->serve, stream->reads_alerts ?
						 DOCUMENT_ALERTS_EVENT : DOCUMENT_EVENT);
		if (!stream->document)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		stream->offset = 0;
	}
	bytes = stream->document->bytes - stream->offset;
	bytes = bytes < room ? bytes : room;
	memcpy(buffer, stream->document->text + stream->offset, bytes);
	stream->offset += bytes;
	if (stream->offset == stream->document->bytes) {
		if (stream->reads_alerts)
			stream->alerts = stream->document->alerts;
		else
			stream->sequence = stream->document->sequence;
		release_document(stream->document);
		stream->document = NULL;
	}
	return (ssize_t)bytes;
}

static void end_stream(void *param)
{
	struct stream *stream = param;
	struct serve *serve = stream->serve;

	pthread_mutex_lock(&serve->lock);
	if (stream->previous)
		stream->previous->next = stream->next;
	else
		serve->streams = stream->next;
	if (stream->next)
		stream->next->previous = stream->previous;
	serve->n_streams--;
	pthread_mutex_unlock(&serve->lock);
	release_document(stream->document);
	free(stream);
}

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static struct stream *begin_stream(struct serve *serve, struct MHD_Connection *connection)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->serve = serve;
	stream->connection = connection;
	pthread_mutex_lock(&serve->lock);
	stream->next = serve->streams;
	if (stream->next)
		stream->next->previous = stream;
	serve->streams = stream;
	serve->n_streams++;
	pthread_mutex_unlock(&serve->lock);
	return stream;
}

static enum MHD_Result send_events(const struct request *request)
{
	struct MHD_Response *response;
	struct stream *stream;

	if (request->is_head)
		return say(request, MHD_HTTP_OK, "");
	if (request->serve->n_streams >= request->serve->streams_max) /* changed by this thread only */
		return say(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too many live pages\n");
	stream = begin_stream(request->serve, request->connection);
	if (!stream)
		return say(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32768, read_stream, stream,
						     end_stream);
	if (!response)
		end_stream(stream);
	else
		clients_keep(&request->serve->clients, client_of(request->connection));
	return send_response(request, MHD_HTTP_OK, response, "text/event-stream", "no-store");
}

static void wake_streams(struct serve *serve)
{
	pthread_mutex_lock(&serve->lock);
	for (struct stream *stream = serve->streams; stream; stream = stream->next) {
		if (stream->is_suspended)
			MHD_resume_connection(stream->connection);
		stream->is_suspended = false;
	}
	pthread_mutex_unlock(&serve->lock);
}

static void on_sample(void *param)
{
	wake_streams(param);
}

/* Routes */

static const char *argument(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

static const char *header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result send_metrics(const struct request *request)
{
	const char *pids = argument(request, "pids");
	enum metrics_format format = metrics_negotiate(header(request, "Accept"));
	bool per_pid = request->serve->options.per_pid;

	if (pids && strcmp(pids, "0") && strcmp(pids, "1"))
		return say(request, MHD_HTTP_BAD_REQUEST, "pids is 0 or 1\n");
	if (pids)
		per_pid = *pids == '1';
	return send_document(request, DOCUMENT_METRICS + per_pid +
					      2 * (format == METRICS_OPENMETRICS),
			     metrics_content_type(format));
}

static enum MHD_Result send_alerts(const struct request *request)
{
	return send_document(request, DOCUMENT_ALERTS, "application/json");
}

static enum MHD_Result send_processes(const struct request *request)
{
	return send_document(request, DOCUMENT_PROCESSES, "application/json");
}

static const char *parse_history(const struct request *request, struct web_api_history *history)
{
	const char *pids = argument(request, "pid"), *counter = argument(request, "counter");
	const char *since = argument(request, "since_ms"), *end;
	uint64_t since_ms = 0;
	int r = pids ? web_api_parse_series(pids, history) : -EINVAL;

	if (r == -E2BIG)
		return "pid names more than 64 processes\n";
	if (r < 0)
		return "pid is wanted: PID or PID:START_TICKS, several with commas between\n";
	if (counter && web_api_parse_counter(counter, history) < 0)
		return "counter is handles, threads, mappings or resident_kib\n";
	end = since ? proc_scan(since, 10, &since_ms) : "";
	if (!end || *end || since_ms > INT64_MAX)
		return "since_ms is milliseconds since 1970\n";
	history->since_ms = (int64_t)since_ms;
	return NULL;
}

static enum MHD_Result send_history(const struct request *request)
{
	struct web_api_history history = { .counter = MONITOR_KEPT_HANDLES };
	const char *wrong = parse_history(request, &history);
	struct monitor_moment **moments = NULL;
	char *text = NULL;
	size_t bytes = 0, n = 0;
	FILE *out;

	if (wrong)
		return say(request, MHD_HTTP_BAD_REQUEST, wrong);
	if (monitor_feed_moments(request->serve->feed, &moments, &n) < 0)
		return say(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	out = open_memstream(&text, &bytes);
	if (out)
		web_api_history(out, moments, n, &history);
	monitor_moments_release(moments, n);
	if (!out || fclose(out) != 0) {
		free(text);
		return say(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
	}
	return send_response(request, MHD_HTTP_OK,
			     MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE),
			     "application/json", "no-store");
}

/* Healthy is who samples: three in a row may be late. */
static enum MHD_Result send_health(const struct request *request)
{
	struct monitor_snapshot *snapshot = monitor_feed_take(request->serve->feed);
	int64_t age_ms = (now_ns() - snapshot->sample.monotonic_ns) / NS_PER_MS;
	char line[64] = "ok\n";
	bool is_late = age_ms > 3 * request->serve->facts.interval_ms + 5000;

	monitor_snapshot_release(snapshot);
	if (is_late)
		(void)snprintf(line, sizeof(line), "no sample for %lld s\n",
			       (long long)(age_ms / 1000));
	return say(request, is_late ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, line);
}

static enum MHD_Result send_file(const struct request *request, const struct web_file *file)
{
	const char *known = header(request, "If-None-Match");
	bool is_same = known && (strstr(known, file->etag) || !strcmp(known, "*"));
	struct MHD_Response *response = MHD_create_response_from_buffer(
		is_same ? 0 : file->bytes, (void *)(uintptr_t)file->data, MHD_RESPMEM_PERSISTENT);

	if (response)
		(void)MHD_add_response_header(response, "ETag", file->etag);
	return send_response(request, is_same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response,
			     file->content_type, "no-cache");
}

static enum MHD_Result route(const struct request *request)
{
	static const struct {
		const char *path;
		enum MHD_Result (*send)(const struct request *request);
	} routes[] = {
		{ "/metrics", send_metrics },
		{ "/api/v1/processes", send_processes },
		{ "/api/v1/history", send_history },
		{ "/api/v1/alerts", send_alerts },
		{ "/api/v1/events", send_events },
	};

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (!strcmp(request->path, routes[i].path))
			return routes[i].send(request);
	for (const struct web_file *file = web_files; file->path; file++)
		if (!strcmp(request->path, file->path))
			return send_file(request, file);
	return say(request, MHD_HTTP_NOT_FOUND,
		   "there are /, /metrics, /api/v1/processes, /api/v1/history, /api/v1/alerts, "
		   "/api/v1/events and /healthz\n");
}

static enum MHD_Result check_and_route(const struct request *request)
{
	const struct serve *serve = request->serve;
	const char *host = header(request, "Host");

	if (!strcmp(request->path, "/healthz"))
		return send_health(request);
	if (serve->is_open && host && !listen_is_local_host(host))
		return say(request, MHD_HTTP_MISDIRECTED_REQUEST,
			   "without --auth-file only requests to a loopback address are served\n");
	if (!serve->is_open &&
	    !credentials_match(serve->credentials, header(request, "Authorization")))
		return say(request, MHD_HTTP_UNAUTHORIZED, "who are you?\n");
	return route(request);
}

/* The first call has the headers only.  What is refused there has no second one, and its connection
 * is closed, so no body is ever waited for. */
static enum MHD_Result answer(void *param, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload_data,
			      size_t *upload_bytes, void **request_state)
{
	struct request request = { .serve = param, .connection = connection, .path = url };

	static char seen;

	request.is_head = !strcmp(method, "HEAD");
	if (*request_state == &seen)
		return check_and_route(&request);
	*request_state = &seen;
	clients_touch(&request.serve->clients, client_of(connection));
	if (!request.is_head && strcmp(method, "GET"))
		return say(&request, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (header(&request, "Content-Length") || header(&request, "Transfer-Encoding"))
		return say(&request, MHD_HTTP_BAD_REQUEST, "a request with a body is not served\n");
	return MHD_YES;
}

static void on_answered(void *param, struct MHD_Connection *connection, void **request_state,
			enum MHD_RequestTerminationCode code)
{
	struct serve *serve = param;

	(void)request_state;
	(void)code;
	clients_touch(&serve->clients, client_of(connection));
}

static void on_connection(void *param, struct MHD_Connection *connection, void **client,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct serve *serve = param;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		clients_remove(&serve->clients, *client);
	else if (info)
		*client = clients_add(&serve->clients, info->connect_fd);
}

/* Starting and stopping */

static int __attribute__((format(printf, 3, 4))) refuse(char why[SERVE_WHY_BYTES], int code,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, SERVE_WHY_BYTES, format, args);
	va_end(args);
	return code;
}

static int check_exposure(const struct serve_options *options, const struct listen_address *address,
			  char why[SERVE_WHY_BYTES])
{
	if (!options->tls_cert != !options->tls_key)
		return refuse(why, -EINVAL, "--tls-cert and --tls-key belong together");
	if (address->is_loopback || (options->tls_cert && options->auth_file))
		return 0;
	return refuse(why, -EPERM,
		      "%s is reached from other machines: that needs --tls-cert, --tls-key and "
		      "--auth-file", options->listen);
}

static int read_credentials(struct serve *serve, char why[SERVE_WHY_BYTES])
{
	const char *path = serve->options.auth_file;
	unsigned line = 0;
	int r = path ? credentials_read(path, &serve->credentials, &line) : 0;

	serve->is_open = !path;
	if (r == -EPERM)
		return refuse(why, r, "%s can be read by everybody or written by its group: chmod 600 it",
			      path);
	if (r == -EINVAL && line)
		return refuse(why, r, "%s, line %u: 'basic USER:PASSWORD' or 'bearer TOKEN' is wanted",
			      path, line);
	if (r == -EINVAL)
		return refuse(why, r, "%s: there is no line 'basic USER:PASSWORD' or 'bearer TOKEN'",
			      path);
	return r < 0 ? refuse(why, r, "%s: %s", path, strerror(-r)) : 0;
}

static int read_pem(const char *path, char **ret_text, char why[SERVE_WHY_BYTES])
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(PEM_BYTES_MAX + 1) : NULL;
	size_t bytes;

	if (!text) {
		int code = -errno;

		if (file)
			(void)fclose(file);
		return refuse(why, code, "%s: %s", path, strerror(-code));
	}
	bytes = fread(text, 1, PEM_BYTES_MAX + 1, file);
	if (ferror(file) || bytes > PEM_BYTES_MAX || bytes == 0) {
		(void)fclose(file);
		free(text);
		return refuse(why, -EINVAL, "%s cannot be a certificate or key", path);
	}
	text[bytes] = 0;
	(void)fclose(file);
	*ret_text = text;
	return 0;
}

/* What its own thread complains of is the clients' fault, and no reason not to start. */
static void __attribute__((format(printf, 2, 0))) keep_log(void *param, const char *format,
							   va_list args)
{
	struct serve *serve = param;

	if (pthread_equal(pthread_self(), serve->starter))
		(void)vsnprintf(serve->log, sizeof(serve->log), format, args);
}

/* Sampling has its half of the handles, and half of the rest is for files and commands. */
static unsigned connections_max(void)
{
	struct rlimit limit;
	rlim_t share = CONNECTIONS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		share = limit.rlim_cur / 4 + 1;
	return share < CONNECTIONS_MAX ? (unsigned)share : CONNECTIONS_MAX;
}

/* However few there may be, pages and those who wait leave room for one who asks. */
static void share_connections(struct serve *serve)
{
	unsigned n = connections_max();

	serve->connections_max = n < CONNECTIONS_MIN ? CONNECTIONS_MIN : n;
	serve->streams_max = (size_t)serve->connections_max * STREAMS_MAX / CONNECTIONS_MAX;
	serve->clients.n_max = (size_t)serve->connections_max * WAITING_MAX / CONNECTIONS_MAX;
}

static int start_daemon(struct serve *serve, int listen_fd, char *cert, char *key)
{
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0,
		  (void *)(uintptr_t)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_ERROR_LOG;

	if (!cert)
		tls[0].option = MHD_OPTION_END;
	/* The log's receiver comes first: what the later options say goes there too. */
	serve->daemon = MHD_start_daemon(
		flags | (cert ? MHD_USE_TLS : 0), 0, NULL, NULL, answer, serve,
		MHD_OPTION_EXTERNAL_LOGGER, keep_log, serve,
		MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, serve->connections_max,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, serve,
		MHD_OPTION_NOTIFY_COMPLETED, on_answered, serve,
		MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	return serve->daemon ? 0 : -EIO;
}

static int listen_and_answer(struct serve *serve, const struct listen_address *address,
			     char why[SERVE_WHY_BYTES])
{
	AUTO_FREE char *cert = NULL, *key = NULL;
	char where[LISTEN_TEXT_BYTES];
	int r = 0, fd;

	if (serve->options.tls_cert)
		r = read_pem(serve->options.tls_cert, &cert, why);
	if (r == 0 && serve->options.tls_key)
		r = read_pem(serve->options.tls_key, &key, why);
	if (r < 0)
		return r;
	fd = listen_open(address, where);
	if (fd < 0)
		return refuse(why, fd, "cannot listen on %s: %s", serve->options.listen,
			      strerror(-fd));
	(void)snprintf(serve->url, sizeof(serve->url), "http%s://%s/", cert ? "s" : "", where);
	r = start_daemon(serve, fd, cert, key);
	if (key)
		explicit_bzero(key, strlen(key));
	if (r < 0) {
		close_keeping_errno(fd);
		serve->log[strcspn(serve->log, "\n")] = 0;
		return refuse(why, r, "the server does not start: %s",
			      serve->log[0] ? serve->log : "the certificate and key may not fit");
	}
	return 0;
}

static int start_feed(struct serve *serve, char why[SERVE_WHY_BYTES])
{
	int r;

	serve->options.feed.on_sample = on_sample;
	serve->options.feed.param = serve;
	r = monitor_feed_start(&serve->options.feed, &serve->feed);
	if (r < 0)
		return refuse(why, r, "no sample can be taken: %s", strerror(-r));
	serve->facts.interval_ms = serve->options.feed.interval_ms;
	serve->facts.source = monitor_source_name(monitor_feed_source(serve->feed));
	return 0;
}

int serve_start(const struct serve_options *options, struct serve **ret_serve,
		char ret_why[SERVE_WHY_BYTES])
{
	struct listen_address address;
	struct serve *serve;
	int r;

	if (listen_parse(options->listen, &address) < 0)
		return refuse(ret_why, -EINVAL, "'%s' is no ADDRESS:PORT", options->listen);
	r = check_exposure(options, &address, ret_why);
	if (r < 0)
		return r;
	serve = calloc(1, sizeof(*serve));
	if (!serve)
		return refuse(ret_why, -ENOMEM, "out of memory");
	serve->options = *options;
	share_connections(serve);
	serve->starter = pthread_self();
	pthread_mutex_init(&serve->lock, NULL);
	r = read_credentials(serve, ret_why);
	if (r == 0)
		r = start_feed(serve, ret_why);
	if (r == 0)
		r = listen_and_answer(serve, &address, ret_why);
	if (r < 0) {
		serve_stop(serve);
		return r;
	}
	*ret_serve = serve;
	return 0;
}

const char *serve_url(const struct serve *serve)
{
	return serve->url;
}

enum monitor_source serve_source(const struct serve *serve)
{
	return monitor_feed_source(serve->feed);
}

/* The library insists that no connection is suspended when it ends; the feed's last sample is still
 * wanted by those that it answers until then. */
void serve_stop(struct serve *serve)
{
	pthread_mutex_lock(&serve->lock);
	serve->is_stopping = true;
	pthread_mutex_unlock(&serve->lock);
	wake_streams(serve);
	if (serve->daemon)
		MHD_stop_daemon(serve->daemon);
	monitor_feed_stop(serve->feed);
	for (int i = 0; i < DOCUMENTS; i++)
		release_document(serve->cached[i]);
	monitor_users_done(&serve->users);
	credentials_free(serve->credentials);
	pthread_mutex_destroy(&serve->lock);
	free(serve);
}
