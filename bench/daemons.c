/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemons.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define WORDS_MAX    16
#define PATIENCE_MS  20000
#define READ_SECONDS 20
#define PCP_NAMES    "/var/lib/pcp/pmns/root_proc"
#define PCP_AGENT    "/var/lib/pcp/pmdas/proc/pmdaproc"

/* Commands */

const char *find_command(const char *name)
{
	static char path[4096];
	static const char places[] = ":/usr/sbin:/sbin:/usr/lib/pcp/bin:/usr/libexec/pcp/bin";
	const char *own = getenv("PATH");
	char all[8192];

	(void)snprintf(all, sizeof(all), "%s%s", own ? own : "/usr/bin:/bin", places);
	for (char *rest = all, *folder; (folder = strsep(&rest, ":"));) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
		if (access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

/* In the folder that it may leave its files in; NULL: here. */
static pid_t start(const char *const *words, int out, const char *folder)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (folder && chdir(folder) < 0)
			_exit(127);
		(void)dup2(null, 0);
		(void)dup2(out < 0 ? null : out, 1);
		(void)dup2(null, 2);
		(void)execv(words[0], (char **)words);
		_exit(127);
	}
	(void)close(null);
	return pid;
}

int run_command(void *words)
{
	int status;
	pid_t pid = start(words, -1, NULL);

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : 0;
}

/* HTTP */

int http_ask(int port, const char *path)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval bound = { .tv_sec = READ_SECONDS };
	char request[256];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), n;

	if (fd < 0)
		return -errno;
	n = snprintf(request, sizeof(request),
		     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"
		     "Accept: application/openmetrics-text; version=1.0.0, text/plain;q=0.5\r\n\r\n",
		     path, port);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof(bound));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || write(fd, request, (size_t)n) != n) {
		n = -errno;
		(void)close(fd);
		return n;
	}
	return fd;
}

long http_get(int port, const char *path, char **ret_text)
{
	size_t room = 65536, used = 0;
	char *text = malloc(room), *grown;
	int fd = http_ask(port, path);
	ssize_t n = fd;

	while (fd >= 0 && text && (n = read(fd, text + used, room - used - 1)) > 0) {
		used += (size_t)n;
		if (room - used > 4096)
			continue;
		grown = realloc(text, room *= 2);
		if (!grown)
			break;
		text = grown;
	}
	if (fd >= 0)
		(void)close(fd);
	if (n != 0 || !text || used < 13 || strncmp(text + 9, "200", 3) != 0) {
		free(text);
		return fd < 0 ? fd : -EPROTO;
	}
	text[used] = '\0';
	if (ret_text)
		*ret_text = text;
	else
		free(text);
	return (long)used;
}

int run_scrape(void *daemon)
{
	long bytes = http_get(((struct daemon *)daemon)->port, "/metrics", NULL);

	return bytes < 0 ? (int)bytes : 0;
}

/* Daemons */

static int free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = -1;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    getsockname(fd, (struct sockaddr *)&at, &bytes) == 0)
		port = ntohs(at.sin_port);
	(void)close(fd);
	return port;
}

static bool make_folder(struct daemon *daemon)
{
	(void)snprintf(daemon->folder, sizeof(daemon->folder), "/tmp/tendril-bench-XXXXXX");
	return mkdtemp(daemon->folder) != NULL;
}

static bool write_file(const struct daemon *daemon, const char *name, const char *text)
{
	char path[96];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", daemon->folder, name);
	file = fopen(path, "we");
	return file && fputs(text, file) >= 0 && fclose(file) == 0;
}

static bool runs(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

/* Until it answers. */
static int wait_for(struct daemon *daemon, int (*run)(void *param))
{
	int64_t deadline_ns = deadline_in_ms(PATIENCE_MS);

	while (run(daemon) < 0)
		if (!runs(daemon->pid) || !support_again(deadline_ns)) {
			daemon_end(daemon);
			return -ECHILD;
		}
	return 0;
}

int serve_start(const char *tendril, const char *const *words, struct daemon *ret_daemon)
{
	const char *all[WORDS_MAX] = { tendril, "serve", "--listen", "127.0.0.1:0" };
	struct daemon daemon = { 0 };
	char line[128] = "", *colon;
	int out[2], n = 4;
	FILE *said;

	while (*words && n < WORDS_MAX - 1)
		all[n++] = *words++;
	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	daemon.pid = start(all, out[1], NULL);
	(void)close(out[1]);
	said = fdopen(out[0], "re");
	if (said && fgets(line, sizeof(line), said) && (colon = strrchr(line, ':')))
		daemon.port = atoi(colon + 1);
	if (said)
		(void)fclose(said);
	daemon.clock.pid[0] = daemon.pid;
	if (daemon.port <= 0) {
		daemon_end(&daemon);
		return -ECHILD;
	}
	*ret_daemon = daemon;
	return 0;
}

int exporter_start(bool is_lean, struct daemon *ret_daemon)
{
	const char *path = find_command("prometheus-process-exporter");
	struct daemon daemon = { .port = free_port() };
	char config[128], address[64];
	const char *words[] = { path, "-config.path", config, "-web.listen-address", address,
			  is_lean ? "-threads=false" : "-threads", is_lean ? "-gather-smaps=false" :
			  "-gather-smaps", NULL };
	int r;

	if (!path)
		return -ENOENT;
	if (!make_folder(&daemon) ||
	    !write_file(&daemon, "all.yml", "process_names:\n  - name: \"{{.Comm}}\"\n"
					    "    cmdline:\n    - '.+'\n"))
		return -EIO;
	(void)snprintf(config, sizeof(config), "%s/all.yml", daemon.folder);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%d", daemon.port);
	daemon.pid = start(words, -1, daemon.folder);
	daemon.clock.pid[0] = daemon.pid;
	r = wait_for(&daemon, run_scrape);
	if (r == 0)
		*ret_daemon = daemon;
	return r;
}

/* Its client ends with 0 although nothing was told: what it prints says how many there were. */
int run_pmprobe(void *param)
{
	const struct daemon *daemon = param;
	char command[4352], text[256] = "", host[112];
	const char *path = find_command("pmprobe");
	FILE *said;
	int n = 0;

	if (!path)
		return -ENOENT;
	(void)snprintf(host, sizeof(host), "unix:%s", daemon->socket);
	(void)snprintf(command, sizeof(command), "exec %s -h %s -v proc.fd.count 2>&1", path, host);
	said = popen(command, "re");
	if (said && fgets(text, sizeof(text), said)) /* the rest is read so that it need not be killed */
		for (char rest[4096]; fread(rest, 1, sizeof(rest), said) == sizeof(rest);)
			continue;
	if (said)
		(void)pclose(said);
	return sscanf(text, "proc.fd.count %d", &n) == 1 && n > 0 ? 0 : -EPROTO;
}

/* pmdaproc is a child of pmcd: it is there, once that answers. */
static void find_agents(struct daemon *daemon)
{
	char path[64];
	FILE *file;
	size_t n = 1;
	int pid;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)daemon->pid,
		       (int)daemon->pid);
	file = fopen(path, "re");
	while (file && n < ARRAY_LENGTH(daemon->clock.pid) && fscanf(file, "%d", &pid) == 1)
		daemon->clock.pid[n++] = pid;
	if (file)
		(void)fclose(file);
}

static int pcp_spawn(struct daemon *daemon, const char *path)
{
	char port[16], config[96], log[96];
	const char *words[] = { path, "-f", "-A", "-U", "root", "-c", config, "-n", PCP_NAMES, "-i",
			  "127.0.0.1", "-p", port, "-s", daemon->socket, "-l", log, NULL };

	/* Where it would write otherwise is the machine's. */
	(void)setenv("PCP_RUN_DIR", daemon->folder, 1);
	(void)setenv("PCP_TMP_DIR", daemon->folder, 1);
	(void)setenv("PCP_LOG_DIR", daemon->folder, 1);
	(void)snprintf(port, sizeof(port), "%d", free_port());
	(void)snprintf(config, sizeof(config), "%s/pmcd.conf", daemon->folder);
	(void)snprintf(log, sizeof(log), "%s/log", daemon->folder);
	(void)snprintf(daemon->socket, sizeof(daemon->socket), "%s/socket", daemon->folder);
	daemon->pid = start(words, -1, daemon->folder);
	daemon->clock.pid[0] = daemon->pid;
	return wait_for(daemon, run_pmprobe);
}

int pcp_start(struct daemon *ret_daemon)
{
	const char *path = find_command("pmcd");
	struct daemon daemon = { 0 };
	char own[4096];
	int r;

	if (!path || access(PCP_AGENT, X_OK) < 0 || access(PCP_NAMES, R_OK) < 0)
		return -ENOENT;
	if (geteuid() != 0)
		return -EPERM; /* it would change users, and tell others nothing */
	(void)snprintf(own, sizeof(own), "%s", path);
	if (!make_folder(&daemon) ||
	    !write_file(&daemon, "pmcd.conf", "proc 3 pipe binary " PCP_AGENT " -d 3\n"))
		return -EIO;
	r = pcp_spawn(&daemon, own);
	if (r < 0)
		return r;
	find_agents(&daemon);
	*ret_daemon = daemon;
	return 0;
}

static void remove_folder(const char *folder)
{
	char command[96];

	(void)snprintf(command, sizeof(command), "rm -rf -- '%s'", folder);
	(void)!system(command);
}

void daemon_end(struct daemon *daemon)
{
	if (daemon->pid > 0) {
		(void)kill(daemon->pid, SIGTERM);
		(void)waitpid(daemon->pid, NULL, 0);
	}
	if (daemon->folder[0])
		remove_folder(daemon->folder);
	*daemon = (struct daemon){ 0 };
}
