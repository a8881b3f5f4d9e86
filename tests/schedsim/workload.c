/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/schedsim/workload.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/protocol.h"

#define WORD_MAX	64u
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* The rest of a line. */
struct line {
	const char *at, *end;
	char word[WORD_MAX]; /* what next_word() took */
};

struct parser {
	struct workload *workload;
	struct line line;
	struct vgpu_error **err;
};

/*
 * The next word, or NULL at the line's end. One that is too long is cut, and one with a zero byte
 * has another there: neither matches anything then.
 */
static const char *next_word(struct line *line)
{
	size_t length = 0;

	while (line->at < line->end && isspace((unsigned char)*line->at))
		line->at++;
	while (line->at < line->end && !isspace((unsigned char)*line->at) && *line->at != '#') {
		if (length < WORD_MAX - 1)
			line->word[length++] = *line->at ? *line->at : '?';
		line->at++;
	}
	line->word[length] = '\0';
	return length ? line->word : NULL;
}

static int fail(struct parser *parser, const char *what)
{
	return vgpu_error_set(parser->err, EINVAL, "%s: \"%s\"", what, parser->line.word);
}

/* Digits up to `most`; returns what follows them, or NULL. */
static const char *digits(const char *word, uint64_t most, uint64_t *value)
{
	if (!isdigit((unsigned char)*word))
		return NULL;
	for (*value = 0; isdigit((unsigned char)*word); word++) {
		uint64_t digit = (uint64_t)(*word - '0');

		if (*value > (most - digit) / 10)
			return NULL;
		*value = *value * 10 + digit;
	}
	return word;
}

static int get_number(struct parser *parser, uint64_t least, uint64_t most, uint32_t *value)
{
	const char *word = next_word(&parser->line);
	const char *rest;
	uint64_t number;

	rest = word ? digits(word, most, &number) : NULL;
	if (!rest || *rest || number < least)
		return fail(parser, "not a number, or out of range");
	*value = (uint32_t)number;
	return 0;
}

static int get_time(struct parser *parser, int64_t least, int64_t *value)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "ns", 1 },
		{ "us", VGPU_NS_PER_US },
		{ "ms", VGPU_NS_PER_MS },
		{ "s", VGPU_NS_PER_SECOND },
	};
	const char *word = next_word(&parser->line);
	const char *unit;
	uint64_t number;

	unit = word ? digits(word, WORKLOAD_TIME_MAX, &number) : NULL;
	for (size_t i = 0; unit && i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (number > (uint64_t)(WORKLOAD_TIME_MAX / units[i].ns))
			break;
		*value = (int64_t)number * units[i].ns;
		if (*value < least)
			break;
		return 0;
	}
	return fail(parser, "not a time with a unit, or out of range");
}

/* One of the names; their number is its value. */
static int get_name(struct parser *parser, const char *const *names, uint32_t *value)
{
	const char *word = next_word(&parser->line);

	for (uint32_t i = 0; word && names[i]; i++) {
		if (strcmp(word, names[i]) == 0) {
			*value = i;
			return 0;
		}
	}
	return fail(parser, "not one of the values of this key");
}

/* One key of a tenant, which next_word() took. `times` is NULL where it cannot be said. */
static int tenant_key(struct parser *parser, struct sched_tenant_config *config, uint32_t *times)
{
	static const char *const classes[] = { "low", "medium", "high", NULL };
	const char *key = parser->line.word;

	if (times && strcmp(key, "times") == 0)
		return get_number(parser, 1, WORKLOAD_TENANTS, times);
	if (times && strcmp(key, "pool") == 0)
		return get_number(parser, 0, UINT32_MAX, &config->pool);
	if (strcmp(key, "class") == 0)
		return get_name(parser, classes, &config->priority);
	if (strcmp(key, "weight") == 0)
		return get_number(parser, 0, UINT32_MAX, &config->weight);
	if (strcmp(key, "guaranteed") == 0)
		return get_number(parser, 0, UINT32_MAX, &config->time_guaranteed_percent);
	if (strcmp(key, "max") == 0)
		return get_number(parser, 0, UINT32_MAX, &config->time_max_percent);
	if (strcmp(key, "rate") == 0)
		return get_number(parser, 0, UINT32_MAX, &config->requests_per_second);
	if (strcmp(key, "burst") == 0)
		return get_number(parser, 0, UINT32_MAX, &config->burst);
	if (strcmp(key, "depth") == 0)
		return get_number(parser, 0, UINT32_MAX, &config->queue_depth);
	if (strcmp(key, "longest") == 0)
		return get_time(parser, 0, &config->longest_job_ns);
	return fail(parser, "unknown key of a tenant");
}

static int find_group(struct parser *parser, uint32_t *group)
{
	const char *name = next_word(&parser->line);

	for (uint32_t i = 0; name && i < parser->workload->group_count; i++) {
		if (strcmp(parser->workload->groups[i].name, name) == 0) {
			*group = i;
			return 0;
		}
	}
	return fail(parser, "there is no such tenant before this line");
}

static int parse_tenant(struct parser *parser)
{
	struct workload *workload = parser->workload;
	struct workload_group *group = &workload->groups[workload->group_count];
	const char *name = next_word(&parser->line);
	uint32_t tenants = 0;

	if (!name || strlen(name) >= WORKLOAD_NAME || name[strspn(name, NAME_CHARACTERS)])
		return fail(parser, "not a name: letters, digits, '-' and '_'");
	if (workload->group_count == WORKLOAD_GROUPS)
		return fail(parser, "too many tenants' lines");
	*group = (struct workload_group){
		.times = 1,
		.config = { .priority = VGPU_PRIORITY_MEDIUM, .weight = 100 },
	};
	strcpy(group->name, name);
	for (size_t i = 0; i < workload->group_count; i++) {
		tenants += workload->groups[i].times;
		if (strcmp(workload->groups[i].name, name) == 0)
			return fail(parser, "a tenant of this name is there");
	}
	while (next_word(&parser->line)) {
		if (tenant_key(parser, &group->config, &group->times) < 0)
			return -1;
	}
	if (tenants + group->times > WORKLOAD_TENANTS)
		return fail(parser, "too many tenants");
	workload->group_count++;
	return 0;
}

static int load_key(struct parser *parser, struct workload_load *load)
{
	static const char *const workers[] = { "honest", "late", "ignore", "idle", NULL };
	static const char *const answers[] = { "no", "yes", NULL };
	const char *key = parser->line.word;
	uint32_t value = 0;
	int status;

	if (strcmp(key, "channels") == 0)
		return get_number(parser, 1, WORKLOAD_CHANNELS, &load->channels);
	if (strcmp(key, "closed") == 0)
		return get_number(parser, 1, WORKLOAD_CLOSED, &load->closed);
	if (strcmp(key, "every") == 0)
		return get_time(parser, 1, &load->every_ns);
	if (strcmp(key, "count") == 0)
		return get_number(parser, 1, WORKLOAD_CLOSED, &load->count);
	if (strcmp(key, "job") == 0)
		return get_time(parser, 1, &load->job_ns);
	if (strcmp(key, "to") == 0)
		return get_time(parser, 1, &load->to_ns);
	if (strcmp(key, "on") == 0)
		return get_time(parser, 1, &load->on_ns);
	if (strcmp(key, "off") == 0)
		return get_time(parser, 1, &load->off_ns);
	if (strcmp(key, "from") == 0)
		return get_time(parser, 0, &load->from_ns);
	if (strcmp(key, "until") == 0)
		return get_time(parser, 1, &load->until_ns);
	if (strcmp(key, "delay") == 0)
		return get_time(parser, 0, &load->delay_ns);
	if (strcmp(key, "exp") == 0) {
		status = get_name(parser, answers, &value);
		load->exponential = value;
		return status;
	}
	if (strcmp(key, "worker") == 0) {
		status = get_name(parser, workers, &value);
		load->worker = (enum workload_worker)value;
		return status;
	}
	return fail(parser, "unknown key of a load");
}

static int parse_load(struct parser *parser)
{
	static const char *const kinds[] = { "mailbox", "ring", NULL };
	struct workload *workload = parser->workload;
	struct workload_load *load = &workload->loads[workload->load_count];
	uint32_t kind = 0;

	if (workload->load_count == WORKLOAD_LOADS)
		return fail(parser, "too many loads");
	*load = (struct workload_load){
		.channels = 1,
		.closed = 1,
		.count = 1,
		.job_ns = VGPU_NS_PER_MS,
		.until_ns = INT64_MAX,
		.delay_ns = 5 * VGPU_NS_PER_MS,
	};
	if (find_group(parser, &load->group) < 0 || get_name(parser, kinds, &kind) < 0)
		return -1;
	load->ring = kind;
	while (next_word(&parser->line)) {
		if (load_key(parser, load) < 0)
			return -1;
	}
	if ((load->to_ns && (load->exponential || load->to_ns < load->job_ns)) ||
	    !load->on_ns != !load->off_ns || load->from_ns >= load->until_ns)
		return fail(parser, "keys of a load that contradict each other, before");
	workload->load_count++;
	return 0;
}

/* What a group's values are once all changes before this one were made. */
static const struct sched_tenant_config *latest(const struct workload *workload, uint32_t group)
{
	for (size_t i = workload->change_count; i-- > 0;) {
		const struct workload_change *change = &workload->changes[i];

		if (change->kind == CHANGE_TENANT && change->group == group)
			return &change->config;
	}
	return &workload->groups[group].config;
}

static int parse_change(struct parser *parser)
{
	static const char *const kinds[] = { "tenant", "fail", "restore", NULL };
	struct workload *workload = parser->workload;
	struct workload_change *change = &workload->changes[workload->change_count];
	uint32_t kind = 0;

	if (workload->change_count == WORKLOAD_CHANGES)
		return fail(parser, "too many changes");
	*change = (struct workload_change){ .at_ns = 0 };
	if (get_time(parser, 0, &change->at_ns) < 0 || get_name(parser, kinds, &kind) < 0)
		return -1;
	if (workload->change_count && change->at_ns < change[-1].at_ns)
		return fail(parser, "a change before the one in an earlier line");
	change->kind = (enum workload_change_kind)kind;
	if (change->kind != CHANGE_TENANT) {
		if (get_number(parser, 0, UINT32_MAX, &change->gpu) < 0)
			return -1;
	} else {
		if (find_group(parser, &change->group) < 0)
			return -1;
		change->config = *latest(workload, change->group);
		while (next_word(&parser->line)) {
			if (tenant_key(parser, &change->config, NULL) < 0)
				return -1;
		}
	}
	workload->change_count++;
	return 0;
}

static int parse_gpu(struct parser *parser)
{
	struct workload *workload = parser->workload;
	uint32_t id, pool = 0;

	if (workload->gpu_count == WORKLOAD_GPUS)
		return fail(parser, "too many GPUs");
	if (get_number(parser, 0, UINT32_MAX, &id) < 0)
		return -1;
	if (next_word(&parser->line)) {
		if (strcmp(parser->line.word, "pool") != 0)
			return fail(parser, "unknown key of a GPU");
		if (get_number(parser, 0, UINT32_MAX, &pool) < 0)
			return -1;
	}
	workload->gpus[workload->gpu_count].id = id;
	workload->gpus[workload->gpu_count].pool = pool;
	workload->gpu_count++;
	return 0;
}

static int parse_line(struct parser *parser)
{
	struct workload *workload = parser->workload;
	const char *word = next_word(&parser->line);
	uint32_t seed;
	int status;

	if (!word)
		return 0;
	if (strcmp(word, "tenant") == 0)
		return parse_tenant(parser);
	if (strcmp(word, "load") == 0)
		return parse_load(parser);
	if (strcmp(word, "at") == 0)
		status = parse_change(parser);
	else if (strcmp(word, "gpu") == 0)
		status = parse_gpu(parser);
	else if (strcmp(word, "run") == 0)
		status = get_time(parser, 1, &workload->run_ns);
	else if (strcmp(word, "slice") == 0)
		status = get_time(parser, 1, &workload->params.slice_ns);
	else if (strcmp(word, "yield") == 0)
		status = get_time(parser, 1, &workload->params.yield_ns);
	else if (strcmp(word, "ageing") == 0)
		status = get_time(parser, 1, &workload->params.ageing_ns);
	else if (strcmp(word, "period") == 0)
		status = get_time(parser, 1, &workload->params.period_ns);
	else if (strcmp(word, "seed") == 0) {
		status = get_number(parser, 0, UINT32_MAX, &seed);
		if (status == 0)
			workload->seed = seed;
	} else
		return fail(parser, "unknown statement");
	if (status == 0 && next_word(&parser->line))
		return fail(parser, "more than this statement takes");
	return status;
}

int workload_parse(const char *text, size_t size, struct workload **workload,
		   struct vgpu_error **err)
{
	const char *end = text + size;
	unsigned int number = 0;
	struct parser parser = { .err = err };

	if (size > WORKLOAD_BYTES_MAX)
		return vgpu_error_set(err, E2BIG, "longer than %u bytes", WORKLOAD_BYTES_MAX);
	parser.workload = calloc(1, sizeof(*parser.workload));
	if (!parser.workload)
		return vgpu_error_set(err, ENOMEM, "out of memory");
	parser.workload->run_ns = 10 * VGPU_NS_PER_SECOND;
	parser.workload->seed = 1;
	parser.workload->params = (struct sched_params){
		.slice_ns = SCHED_SLICE_NS,
		.yield_ns = SCHED_YIELD_NS,
		.ageing_ns = SCHED_AGEING_NS,
		.period_ns = SCHED_PERIOD_NS,
	};
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		parser.line.at = text;
		parser.line.end = newline ? newline : end;
		number++;
		if (parse_line(&parser) < 0) {
			vgpu_error_prefix(err, "line %u", number);
			free(parser.workload);
			return -1;
		}
		text = newline ? newline + 1 : end;
	}
	*workload = parser.workload;
	return 0;
}
