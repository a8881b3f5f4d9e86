/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/registry/layers.h"

#include <inttypes.h>
#include <string.h>

#include "common/json_auto.h"
#include "common/uuid.h"

#define BAD_REQUEST   400
#define UNPROCESSABLE 422

#define QUOTAS "quotas"

enum field_type {
	TYPE_NAME,
	TYPE_TEXT,
	TYPE_UUID,
	TYPE_U32,
	TYPE_U64,
	TYPE_PRIORITY
};

struct field_info {
	const char *path;
	enum field_type type;
	size_t offset; /* of the value in struct vm_config */
	size_t size;   /* of a text with its terminator */
	uint64_t min, max;
};

#define TEXT(field_type, path, member)                                                             \
	{                                                                                          \
		path, field_type, offsetof(struct vm_config, member),                              \
			sizeof(((struct vm_config *)0)->member), 0, 0                              \
	}
#define NUMBER(field_type, path, member, min, max)                                                 \
	{                                                                                          \
		path, field_type, offsetof(struct vm_config, member), 0, min, max                  \
	}

static const struct field_info fields[VM_FIELDS] = {
	[VM_FIELD_NAME] = TEXT(TYPE_NAME, "name", name),
	[VM_FIELD_VM_ID] = NUMBER(TYPE_U32, "vm_id", vm_id, 1, VM_ID_MAX),
	[VM_FIELD_PROFILE] = TEXT(TYPE_TEXT, "profile", profile),
	[VM_FIELD_POOL] = TEXT(TYPE_TEXT, "pool", pool),
	[VM_FIELD_PRIORITY] = NUMBER(TYPE_PRIORITY, "priority", priority, 0, 0),
	[VM_FIELD_WEIGHT] =
		NUMBER(TYPE_U32, "weight", weight, CONFIG_WEIGHT_MIN, CONFIG_WEIGHT_MAX),
	[VM_FIELD_LINK_UID] = NUMBER(TYPE_U32, "link_uid", link_uid, 0, VM_LINK_UID_MAX),
	[VM_FIELD_SEAT] = TEXT(TYPE_UUID, "seat", seat),
	[VM_FIELD_SEATS] = NUMBER(TYPE_U32, "seats", seats, 0, CONFIG_SEATS_MAX),
	[VM_FIELD_GPU_MEMORY_BYTES] = NUMBER(TYPE_U64, QUOTAS ".gpu_memory_bytes",
					     quotas.gpu_memory_bytes, 0, VM_BYTES_MAX),
	[VM_FIELD_WINDOW_BYTES] =
		NUMBER(TYPE_U64, QUOTAS ".window_bytes", quotas.window_bytes, 0, VM_BYTES_MAX),
	[VM_FIELD_GPU_TIME_GUARANTEED] =
		NUMBER(TYPE_U32, QUOTAS ".gpu_time_guaranteed_percent",
		       quotas.gpu_time_guaranteed_percent, 0, CONFIG_PERCENT_MAX),
	[VM_FIELD_GPU_TIME_MAX] = NUMBER(TYPE_U32, QUOTAS ".gpu_time_max_percent",
					 quotas.gpu_time_max_percent, 0, CONFIG_PERCENT_MAX),
	[VM_FIELD_REQUESTS_PER_SECOND] =
		NUMBER(TYPE_U32, QUOTAS ".requests_per_second", quotas.requests_per_second, 0,
		       CONFIG_REQUESTS_PER_SECOND_MAX),
	[VM_FIELD_BURST] =
		NUMBER(TYPE_U32, QUOTAS ".burst", quotas.burst, 0, CONFIG_REQUESTS_PER_SECOND_MAX),
	[VM_FIELD_QUEUE_DEPTH] = NUMBER(TYPE_U32, QUOTAS ".queue_depth", quotas.queue_depth, 0,
					CONFIG_QUEUE_DEPTH_MAX),
	[VM_FIELD_CHANNELS] =
		NUMBER(TYPE_U32, QUOTAS ".channels", quotas.channels, 0, CONFIG_CHANNELS_MAX),
	[VM_FIELD_LONGEST_JOB_MS] = NUMBER(TYPE_U32, QUOTAS ".longest_job_ms",
					   quotas.longest_job_ms, 0, CONFIG_LONGEST_JOB_MS_MAX),
};

_Static_assert(VM_FIELDS <= 32, "struct vm_layer's bits");
_Static_assert(sizeof(uid_t) == sizeof(uint32_t), "link_uid is read and written as 32 bits");

static const char *const priorities[] = {
	[VGPU_PRIORITY_LOW] = "low",
	[VGPU_PRIORITY_MEDIUM] = "medium",
	[VGPU_PRIORITY_HIGH] = "high",
};
#define PRIORITIES (sizeof(priorities) / sizeof(*priorities))

static const char *const sources[] = {
	[VM_SOURCE_DEFAULT] = "default",   [VM_SOURCE_PROFILE] = "profile",
	[VM_SOURCE_DOMAIN] = "domain",	   [VM_SOURCE_CLOUDSTACK] = "cloudstack",
	[VM_SOURCE_OPERATOR] = "operator",
};

const char *vm_field_name(enum vm_field field)
{
	return fields[field].path;
}

/* The name without the object that the field is in. */
static const char *field_key(enum vm_field field)
{
	const char *dot = strchr(fields[field].path, '.');

	return dot ? dot + 1 : fields[field].path;
}

static bool field_is_quota(enum vm_field field)
{
	return strchr(fields[field].path, '.');
}

static void *value_of(struct vm_config *config, enum vm_field field)
{
	return (char *)config + fields[field].offset;
}

static const void *const_value_of(const struct vm_config *config, enum vm_field field)
{
	return (const char *)config + fields[field].offset;
}

static uint64_t number_of(const struct vm_config *config, enum vm_field field)
{
	uint32_t small;
	uint64_t large;

	if (fields[field].type == TYPE_U64) {
		memcpy(&large, const_value_of(config, field), sizeof(large));
		return large;
	}
	memcpy(&small, const_value_of(config, field), sizeof(small));
	return small;
}

static void set_number(struct vm_config *config, enum vm_field field, uint64_t value)
{
	uint32_t small = (uint32_t)value;

	if (fields[field].type == TYPE_U64)
		memcpy(value_of(config, field), &value, sizeof(value));
	else
		memcpy(value_of(config, field), &small, sizeof(small));
}

static void copy_value(struct vm_config *to, const struct vm_config *from, enum vm_field field)
{
	if (fields[field].size)
		memcpy(value_of(to, field), const_value_of(from, field), fields[field].size);
	else
		set_number(to, field, number_of(from, field));
	if (field == VM_FIELD_LINK_UID)
		to->has_link_uid = true;
}

static void blame(struct vm_field_name *field, const char *prefix, const char *key)
{
	body_blame(field, prefix, key, strlen(key));
}

/* C0, DEL and C1 control characters; text is UTF-8 as jansson checked it. */
static bool has_control_character(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			return true;
	}
	return false;
}

static bool only_blanks(const char *text)
{
	return text[strspn(text, " ")] == '\0';
}

/*
 * Why a text cannot be a domain's name, or NULL. What XML can hold libvirt takes, but for ends of
 * lines; and NAME.pid is looked up in its folder of pid files.
 */
static const char *name_refused(const char *text)
{
	if (!*text)
		return "must not be empty";
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < 0x20 && *c != '\t' && *c != '\r')
			return "must not contain control characters";
	if (strchr(text, '/'))
		return "must not contain '/'";
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return "must not be '.' or '..'";
	return NULL;
}

/* Why a text cannot be a value of the field, or NULL. */
static const char *text_refused(enum vm_field field, const char *text, size_t length)
{
	if (length >= fields[field].size)
		return "is too long";
	if (fields[field].type == TYPE_NAME)
		return name_refused(text);
	if (only_blanks(text))
		return "must not be empty or blank";
	return has_control_character(text) ? "must not contain control characters" : NULL;
}

static int decode_text(enum vm_field field, const json_t *json, struct vm_config *values,
		       struct vgpu_error **err)
{
	const char *reason;

	if (!json_is_string(json))
		return vgpu_error_set(err, BAD_REQUEST, "%s must be a string",
				      vm_field_name(field));
	reason = text_refused(field, json_string_value(json), json_string_length(json));
	if (reason && json_string_length(json) >= fields[field].size)
		return vgpu_error_set(err, BAD_REQUEST, "%s %s: %zu bytes, at most %zu",
				      vm_field_name(field), reason, json_string_length(json),
				      fields[field].size - 1);
	if (reason)
		return vgpu_error_set(err, BAD_REQUEST, "%s %s", vm_field_name(field), reason);
	memset(value_of(values, field), 0, fields[field].size);
	memcpy(value_of(values, field), json_string_value(json), json_string_length(json));
	return 0;
}

/* As it is compared: in lower case. */
static int decode_uuid(enum vm_field field, const json_t *json, struct vm_config *values,
		       struct vgpu_error **err)
{
	const char *text = json_string_value(json);
	uint8_t uuid[16];

	if (!text || vgpu_uuid_parse(text, uuid) < 0)
		return vgpu_error_set(err, BAD_REQUEST, "%s must be a uuid", vm_field_name(field));
	vgpu_uuid_format(uuid, value_of(values, field));
	return 0;
}

static int decode_priority(const json_t *json, struct vm_config *values, struct vgpu_error **err)
{
	for (uint32_t i = 0; json_is_string(json) && i < PRIORITIES; i++) {
		if (strcmp(json_string_value(json), priorities[i]) == 0) {
			values->priority = i;
			return 0;
		}
	}
	return vgpu_error_set(err, BAD_REQUEST, "priority must be \"low\", \"medium\" or \"high\"");
}

static int decode_number(enum vm_field field, const json_t *json, struct vm_config *values,
			 struct vgpu_error **err)
{
	const struct field_info *info = &fields[field];
	json_int_t value;

	if (!json_is_integer(json))
		return vgpu_error_set(err, BAD_REQUEST, "%s must be an integer", info->path);
	value = json_integer_value(json);
	if (value < 0 || (uint64_t)value < info->min || (uint64_t)value > info->max)
		return vgpu_error_set(err, BAD_REQUEST,
				      "%s is %" JSON_INTEGER_FORMAT ", but must be %" PRIu64
				      " to %" PRIu64,
				      info->path, value, info->min, info->max);
	set_number(values, field, (uint64_t)value);
	return 0;
}

static int decode_field(enum vm_field field, const json_t *json, struct vm_layer *layer,
			struct vm_field_name *wrong, struct vgpu_error **err)
{
	int status;

	switch (fields[field].type) {
	case TYPE_NAME:
	case TYPE_TEXT:
		status = decode_text(field, json, &layer->values, err);
		break;
	case TYPE_UUID:
		status = decode_uuid(field, json, &layer->values, err);
		break;
	case TYPE_PRIORITY:
		status = decode_priority(json, &layer->values, err);
		break;
	default:
		status = decode_number(field, json, &layer->values, err);
		break;
	}
	if (status < 0) {
		blame(wrong, "", vm_field_name(field));
		return -1;
	}
	if (field == VM_FIELD_LINK_UID)
		layer->values.has_link_uid = true;
	layer->given |= UINT32_C(1) << field;
	return 0;
}

/* Decodes the fields of the body, or those of its object "quotas". */
static int decode_object(json_t *object, bool quotas, struct vm_layer *layer,
			 struct vm_field_name *wrong, struct vgpu_error **err)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		unsigned int field;

		if (!quotas && strcmp(key, QUOTAS) == 0) {
			if (!json_is_object(value)) {
				blame(wrong, "", QUOTAS);
				return vgpu_error_set(err, BAD_REQUEST,
						      QUOTAS " must be an object");
			}
			if (decode_object(value, true, layer, wrong, err) < 0)
				return -1;
			continue;
		}
		for (field = 0; field < VM_FIELDS; field++) {
			if (field_is_quota(field) == quotas && strcmp(key, field_key(field)) == 0)
				break;
		}
		if (field == VM_FIELDS) {
			blame(wrong, quotas ? QUOTAS "." : "", key);
			return vgpu_error_set(err, BAD_REQUEST, "unknown field \"%s\"",
					      wrong->text);
		}
		if (decode_field(field, value, layer, wrong, err) < 0)
			return -1;
	}
	return 0;
}

int vm_layer_decode(const char *text, size_t length, struct vm_layer *layer,
		    struct vm_field_name *field, struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *json = NULL;

	*layer = (struct vm_layer){ 0 };
	field->text[0] = '\0';
	if (length == 0)
		return 0;
	json = body_decode(text, length, field, err);
	if (!json)
		return -1;
	if (!json_is_object(json))
		return vgpu_error_set(err, BAD_REQUEST, "the body must be a JSON object");
	return decode_object(json, false, layer, field, err);
}

static json_t *value_to_json(const struct vm_config *config, enum vm_field field)
{
	switch (fields[field].type) {
	case TYPE_NAME:
	case TYPE_TEXT:
	case TYPE_UUID:
		return json_string(const_value_of(config, field));
	case TYPE_PRIORITY:
		return json_string(priorities[config->priority]);
	default:
		return json_integer((json_int_t)number_of(config, field));
	}
}

/* Adds the given fields that are quotas, or those that are none. */
static int some_fields_to_json(const struct vm_config *config, uint32_t given, bool quotas,
			       json_t *object)
{
	for (unsigned int field = 0; field < VM_FIELDS; field++) {
		if ((given & (UINT32_C(1) << field)) && field_is_quota(field) == quotas &&
		    json_object_set_new(object, field_key(field), value_to_json(config, field)) < 0)
			return -1;
	}
	return 0;
}

int vm_values_to_json(const struct vm_config *config, uint32_t given, json_t *object)
{
	json_t *quotas = json_object();

	if (some_fields_to_json(config, given, false, object) < 0 ||
	    some_fields_to_json(config, given, true, quotas) < 0) {
		json_decref(quotas);
		return -1;
	}
	return json_object_set_new(object, QUOTAS, quotas);
}

char *vm_layer_encode(const struct vm_layer *layer)
{
	VGPU_AUTO_JSON json_t *json = json_object();

	if (!json || vm_values_to_json(&layer->values, layer->given, json) < 0)
		return NULL;
	return json_dumps(json, JSON_COMPACT);
}

int vm_layer_check_offering(const struct vm_layer *layer, struct vm_field_name *field,
			    struct vgpu_error **err)
{
	static const enum vm_field refused[] = { VM_FIELD_NAME, VM_FIELD_VM_ID, VM_FIELD_LINK_UID };

	field->text[0] = '\0';
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		if (!vm_layer_has(layer, refused[i]))
			continue;
		blame(field, "", vm_field_name(refused[i]));
		return vgpu_error_set(err, BAD_REQUEST, "a service offering cannot give %s",
				      field->text);
	}
	return 0;
}

void vm_layer_clear(struct vm_layer *layer, enum vm_field field)
{
	layer->given &= ~(UINT32_C(1) << field);
}

int vm_refuse_pool(const char *pool, struct vm_field_name *field, struct vgpu_error **err)
{
	blame(field, "", vm_field_name(VM_FIELD_POOL));
	return vgpu_error_set(err, UNPROCESSABLE,
			      "there is no pool \"%s\": `vgpuctl pool list` shows those that there "
			      "are; a section [pool] in mediatord.conf makes one",
			      pool);
}

/* The profile that the layers name, or the default one. */
static const struct config_profile *
find_profile(const struct vm_layer layers[VM_HANDS], const struct config *config,
	     struct vm_merged *merged, struct vm_field_name *wrong, struct vgpu_error **err)
{
	for (int hand = VM_HANDS - 1; hand >= 0; hand--) {
		const struct config_profile *profile;

		if (!vm_layer_has(&layers[hand], VM_FIELD_PROFILE))
			continue;
		profile = config_profile_find(config, layers[hand].values.profile);
		if (!profile) {
			blame(wrong, "", vm_field_name(VM_FIELD_PROFILE));
			vgpu_error_set(
				err, UNPROCESSABLE,
				"there is no profile \"%s\": `vgpuctl profile list` shows "
				"those that there are; `vgpuctl profile add` makes one, or a "
				"section [profile] in mediatord.conf",
				layers[hand].values.profile);
		}
		merged->sources[VM_FIELD_PROFILE] = VM_SOURCE_DOMAIN + hand;
		return profile;
	}
	merged->sources[VM_FIELD_PROFILE] = VM_SOURCE_DEFAULT;
	return &config->profiles[config->default_profile];
}

_Static_assert(VM_SOURCE_DOMAIN + (int)VM_HAND_OPERATOR == VM_SOURCE_OPERATOR, "hand to source");

int vm_layers_merge(const struct vm_layer layers[VM_HANDS], const struct config *config,
		    struct vm_merged *merged, struct vm_field_name *field, struct vgpu_error **err)
{
	const struct config_profile *profile;
	struct vgpu_quotas *quotas = &merged->config.quotas;
	enum vm_source source;

	field->text[0] = '\0';
	profile = find_profile(layers, config, merged, field, err);
	if (!profile)
		return -1;
	source = merged->sources[VM_FIELD_PROFILE] == VM_SOURCE_DEFAULT ? VM_SOURCE_DEFAULT
									: VM_SOURCE_PROFILE;
	merged->config.vm_id = 0;
	merged->config.name[0] = '\0';
	merged->config.has_link_uid = false;
	merged->config.seat[0] = '\0';
	memcpy(merged->config.profile, profile->name, sizeof(profile->name));
	memcpy(merged->config.pool, profile->pool, sizeof(profile->pool));
	merged->config.priority = profile->priority;
	merged->config.weight = profile->weight;
	*quotas = profile->quotas;
	for (unsigned int i = 0; i < VM_FIELDS; i++) {
		if (i == VM_FIELD_PROFILE)
			continue;
		/* No profile has a name, an id, a uid or a seat. */
		merged->sources[i] = i == VM_FIELD_NAME || i == VM_FIELD_VM_ID ||
						     i == VM_FIELD_LINK_UID || i == VM_FIELD_SEAT
					     ? VM_SOURCE_DEFAULT
					     : source;
		for (int hand = 0; hand < VM_HANDS; hand++) {
			if (!vm_layer_has(&layers[hand], i))
				continue;
			copy_value(&merged->config, &layers[hand].values, i);
			merged->sources[i] = VM_SOURCE_DOMAIN + hand;
		}
	}
	if (!config_pool_find(config, merged->config.pool))
		return vm_refuse_pool(merged->config.pool, field, err);
	if (quotas->gpu_time_max_percent &&
	    quotas->gpu_time_guaranteed_percent > quotas->gpu_time_max_percent) {
		blame(field, "", vm_field_name(VM_FIELD_GPU_TIME_GUARANTEED));
		return vgpu_error_set(err, BAD_REQUEST,
				      "quotas.gpu_time_guaranteed_percent (%u, from %s) is above "
				      "quotas.gpu_time_max_percent (%u, from %s)",
				      quotas->gpu_time_guaranteed_percent,
				      sources[merged->sources[VM_FIELD_GPU_TIME_GUARANTEED]],
				      quotas->gpu_time_max_percent,
				      sources[merged->sources[VM_FIELD_GPU_TIME_MAX]]);
	}
	return 0;
}

int vm_layers_admit(const struct vm_merged *merged, const struct config *config,
		    struct vm_field_name *field, struct vgpu_error **err)
{
	const struct config_profile *profile = config_profile_find(config, merged->config.profile);

	if (merged->sources[VM_FIELD_PRIORITY] != VM_SOURCE_DOMAIN || !profile ||
	    merged->config.priority <= profile->priority)
		return 0;
	blame(field, "", vm_field_name(VM_FIELD_PRIORITY));
	return vgpu_error_set(err, UNPROCESSABLE,
			      "the domain's metadata asks for priority \"%s\", and profile \"%s\" "
			      "allows \"%s\" at most",
			      priorities[merged->config.priority], profile->name,
			      priorities[profile->priority]);
}

int vm_merged_to_json(const struct vm_merged *merged, json_t *object)
{
	uint32_t given = ((UINT32_C(1) << VM_FIELDS) - 1) & ~(UINT32_C(1) << VM_FIELD_SEATS);
	json_t *names;

	if (!merged->config.seat[0])
		given &= ~(UINT32_C(1) << VM_FIELD_SEAT);
	if (!merged->config.has_link_uid)
		given &= ~(UINT32_C(1) << VM_FIELD_LINK_UID);
	if (vm_values_to_json(&merged->config, given, object) < 0)
		return -1;
	names = json_object();
	if (json_object_set_new(object, "sources", names) < 0)
		return -1;
	for (unsigned int field = 0; field < VM_FIELDS; field++) {
		if ((given & (UINT32_C(1) << field)) &&
		    json_object_set_new(names, vm_field_name(field),
					json_string(sources[merged->sources[field]])) < 0)
			return -1;
	}
	return 0;
}
