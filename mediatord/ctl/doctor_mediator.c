/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the mediator, of what it needs and of what it makes. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <sqlite3.h>

#include "config.h"
#include "mediatord/ctl/doctor.h"

#define START_IT "systemctl start vgpu-mediatord; journalctl -u vgpu-mediatord says why it ended"

/* Who listens on the control socket; 0 where that cannot be told. */
static pid_t listener_pid(const char *path)
{
	VGPU_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	if (strlen(path) >= sizeof(address.sun_path))
		return 0;
	strcpy(address.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
		return 0;
	return credentials.pid;
}

void doctor_check_mediator(struct doctor *doctor, struct doctor_finding *finding)
{
	VGPU_AUTO_ERROR struct vgpu_error *err = NULL;
	REST_AUTO_REPLY struct rest_reply reply = { 0 };
	VGPU_AUTO_FREE char *problem = NULL, *version = NULL;
	const struct rest_request request = { .method = "GET", .path = "/readyz" };
	const struct rest_server *server = &doctor->ctl->server;

	if (rest_call(server, &request, &reply, &err) < 0) {
		doctor_found(finding, DOCTOR_FAILED,
			     err->status == EACCES ? "become root or a member of control-group"
						   : START_IT,
			     "%s", err->message);
		return;
	}
	if (server->socket)
		doctor->mediator = listener_pid(server->socket);
	if (!rest_success(&reply)) {
		problem = rest_reply_problem(&reply);
		doctor_found(finding, DOCTOR_FAILED, "see the mediator's log for what it lacks",
			     "not ready: %s", problem ? problem : "out of memory");
		return;
	}
	version = server_version(doctor->ctl);
	if (version && *version && strcmp(version, PACKAGE_VERSION) != 0)
		doctor_found(finding, DOCTOR_WARNING,
			     "restart the mediator after an upgrade: its workers go on meanwhile",
			     "ready, but of version %s; this is vgpuctl %s", version,
			     PACKAGE_VERSION);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "ready, version %s", PACKAGE_VERSION);
}

/* Whether the socket should be the control group's: its default, not where it cannot be. */
static bool is_shared(const struct config *config, const struct stat *st)
{
	return config->has_control_group && !(config->control_group_is_default && st->st_uid != 0 &&
					      (st->st_mode & 0777) == 0600);
}

void doctor_check_control_socket(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct config *config = doctor->config;
	const char *path = config->control_socket;
	struct stat st = { .st_mode = 0 };
	int missing = lstat(path, &st);
	bool shared = is_shared(config, &st);
	mode_t wanted = shared ? 0660 : 0600;

	if (missing)
		doctor_found(finding, DOCTOR_FAILED, START_IT, "%s: %s", path, strerror(errno));
	else if (!S_ISSOCK(st.st_mode))
		doctor_found(finding, DOCTOR_FAILED, "remove it and restart vgpu-mediatord",
			     "%s is no socket", path);
	else if ((st.st_mode & 0777) != wanted)
		doctor_found(finding, DOCTOR_FAILED,
			     "restart vgpu-mediatord, which sets it; find out who changed it",
			     "%s has mode %04o, not %04o", path, st.st_mode & 0777u, wanted);
	else if (shared && st.st_gid != config->control_gid)
		doctor_found(finding, DOCTOR_FAILED, "restart vgpu-mediatord",
			     "%s belongs to group %u, but control-group is %u", path, st.st_gid,
			     config->control_gid);
	else if (config->control_group_is_default && !config->has_control_group)
		doctor_found(finding, DOCTOR_WARNING,
			     "systemd-sysusers, then systemctl restart vgpu-mediatord; or an "
			     "empty control-group = in mediatord.conf",
			     "%s is for its owner alone: there is no group " CONFIG_CONTROL_GROUP,
			     path);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "%s, mode %04o", path, wanted);
}

/*
 * Whether somebody listens on a Unix socket, seen without connecting: the keeper serves one
 * mediator, and a link one device. path is the one that it was bound to, before it was renamed.
 */
static bool has_listener(const struct doctor *doctor, const char *path)
{
	VGPU_AUTO_FREE char *table = doctor_path(doctor, "/proc/net/unix");
	VGPU_AUTO_FCLOSE FILE *stream = table ? fopen(table, "re") : NULL;
	size_t length = strlen(path);
	bool found = false;
	char line[512];

	while (stream && !found && fgets(line, sizeof(line), stream)) {
		unsigned int flags;
		const char *at = strchr(line, '/');

		/* Num RefCount Protocol Flags Type St Inode Path; flag 0x10000: it listens. */
		if (sscanf(line, "%*s %*s %*s %x", &flags) == 1 && flags & 0x10000 && at)
			found = strncmp(at, path, length) == 0 && at[length] == '\n';
	}
	return found;
}

void doctor_check_keeper(struct doctor *doctor, struct doctor_finding *finding)
{
	VGPU_AUTO_FREE char *bound = NULL;
	static const char cure[] = "systemctl restart vgpu-keeper, or without a service manager "
				   "restart vgpu-mediatord, which starts one";
	const char *path = doctor->config->keeper_socket;
	struct stat st;

	if (asprintf(&bound, "%s.new", path) < 0)
		bound = NULL;
	if (lstat(path, &st) < 0)
		doctor_found(finding, DOCTOR_FAILED, cure, "%s: %s", path, strerror(errno));
	else if (st.st_mode & (S_IRWXG | S_IRWXO))
		doctor_found(finding, DOCTOR_FAILED, cure,
			     "%s has mode %04o: others than its owner may reach the keeper", path,
			     st.st_mode & 0777u);
	else if (!has_listener(doctor, path) && !(bound && has_listener(doctor, bound)))
		doctor_found(finding, DOCTOR_FAILED, cure, "nobody listens on %s", path);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "listens on %s", path);
}

/* Looks at one link socket, of the name "UUID.sock". Returns false where something is wrong. */
static bool check_link(struct doctor *doctor, struct doctor_finding *finding, const char *name)
{
	const char *folder = doctor->config->link_dir;
	VGPU_AUTO_FREE char *path = NULL, *bound = NULL;
	static const char cure[] = "restart vgpu-mediatord, which makes the link sockets anew";
	const struct config *config = doctor->config;
	mode_t wanted = config->has_link_group ? 0660 : 0666;
	struct stat st;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	if (asprintf(&bound, "%s/.%.*s.new", folder, (int)(strlen(name) - strlen(".sock")), name) <
	    0)
		bound = NULL;
	if (!path || !bound || lstat(path, &st) < 0)
		return true; /* its VM has just gone */
	if ((st.st_mode & 0777) != wanted)
		doctor_found(finding, DOCTOR_FAILED, cure, "%s has mode %04o, not %04o", path,
			     st.st_mode & 0777u, wanted);
	else if (config->has_link_group && st.st_gid != config->link_gid)
		doctor_found(finding, DOCTOR_FAILED, cure,
			     "%s belongs to group %u, but link-group is %u", path, st.st_gid,
			     config->link_gid);
	else if (!has_listener(doctor, bound))
		doctor_found(finding, DOCTOR_FAILED, cure, "nobody listens on %s", path);
	else
		return true;
	return false;
}

void doctor_check_links(struct doctor *doctor, struct doctor_finding *finding)
{
	const char *folder = doctor->config->link_dir;
	DIR *stream = opendir(folder);
	const struct dirent *entry;
	unsigned int count = 0;
	struct stat st;

	if (!stream || fstat(dirfd(stream), &st) < 0) {
		doctor_found(finding, DOCTOR_FAILED, START_IT, "%s: %s", folder, strerror(errno));
	} else if (!(st.st_mode & S_IXOTH) && !doctor->config->has_link_group) {
		doctor_found(finding, DOCTOR_FAILED, "chmod 755 the folder, or set link-group",
			     "%s has mode %04o: QEMU cannot reach the sockets in it", folder,
			     st.st_mode & 0777u);
	} else {
		while ((entry = readdir(stream))) {
			size_t length = strlen(entry->d_name);

			if (length < 5 || strcmp(entry->d_name + length - 5, ".sock") != 0)
				continue;
			if (!check_link(doctor, finding, entry->d_name))
				break;
			count++;
		}
		if (!entry)
			doctor_found(finding, DOCTOR_OK, NULL, "%u in %s", count, folder);
	}
	if (stream)
		closedir(stream);
}

void doctor_check_programs(struct doctor *doctor, struct doctor_finding *finding)
{
	const struct config *config = doctor->config;
	const char *const programs[][2] = {
		{ "worker", config->worker },
		{ "keeper", config->keeper },
		{ "gpuinfo", config->gpuinfo },
	};

	for (size_t i = 0; i < 3; i++) {
		if (access(programs[i][1], X_OK) == 0)
			continue;
		doctor_found(finding, DOCTOR_FAILED,
			     "install the toolkit again, or correct the path in mediatord.conf",
			     "%s = %s: %s", programs[i][0], programs[i][1], strerror(errno));
		return;
	}
	doctor_found(finding, DOCTOR_OK, NULL, "worker, keeper and gpuinfo are there");
}

static void close_database(sqlite3 **database)
{
	sqlite3_close(*database);
}

/* Takes the first column of the first row. Returns 0, or -1 where there is none. */
static int query(sqlite3 *database, const char *sql, char *text, size_t size)
{
	sqlite3_stmt *statement = NULL;
	int result = -1;

	if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW) {
		const unsigned char *value = sqlite3_column_text(statement, 0);

		snprintf(text, size, "%s", value ? (const char *)value : "");
		result = 0;
	}
	sqlite3_finalize(statement);
	return result;
}

void doctor_check_state(struct doctor *doctor, struct doctor_finding *finding)
{
	VGPU_CLEANUP(close_database) sqlite3 *database = NULL;
	const char *path = doctor->config->state;
	char verdict[256] = "";
	struct stat st;

	if (stat(path, &st) < 0 || access(path, R_OK) < 0)
		doctor_found(finding, errno == EACCES ? DOCTOR_SKIPPED : DOCTOR_FAILED,
			     errno == EACCES ? "run it as root" : START_IT, "%s: %s", path,
			     strerror(errno));
	else if (st.st_mode & (S_IRWXG | S_IRWXO))
		doctor_found(finding, DOCTOR_WARNING, "chmod 600 it",
			     "%s has mode %04o: others than its owner may use it", path,
			     st.st_mode & 0777u);
	else if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
		 query(database, "PRAGMA quick_check(1)", verdict, sizeof(verdict)) < 0)
		doctor_found(finding, DOCTOR_FAILED,
			     "stop vgpu-mediatord and put a backup in its place", "%s: %s", path,
			     sqlite3_errmsg(database));
	else if (strcmp(verdict, "ok") != 0)
		doctor_found(finding, DOCTOR_FAILED,
			     "stop vgpu-mediatord and put a backup in its place",
			     "%s is damaged: %s", path, verdict);
	else
		doctor_found(finding, DOCTOR_OK, NULL, "%s is sound", path);
}
