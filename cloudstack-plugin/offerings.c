/* SPDX-License-Identifier: Apache-2.0 */
#include "cloudstack-plugin/offerings.h"

#include <inttypes.h>
#include <string.h>

#include "cloudstack-plugin/answer.h"
#include "cloudstack-plugin/offering.h"

#define PARAMETERS_MAX 12
#define DETAILS_MAX    13
#define PREFIX_LENGTH  (sizeof(OFFERING_PREFIX) - 1)

/* An object of strings; NULL is one of none. */
static int check_strings(const json_t *object, const char *what, size_t max,
			 struct vgpu_error **err)
{
	const char *key;
	json_t *value;

	if (object && (!json_is_object(object) || json_object_size(object) > max))
		return vgpu_error_set(err, EINVAL, "%s must be an object of at most %zu values",
				      what, max);
	json_object_foreach ((json_t *)object, key, value)
		if (!cs_text(object, key))
			return vgpu_error_set(err, EINVAL, "%s: \"%s\" must be a text", what, key);
	return 0;
}

/* Those that createServiceOffering has besides what this program sets: letters alone. */
static int check_parameters(const json_t *parameters, struct vgpu_error **err)
{
	static const char *const ours[] = { "apikey",
					    "command",
					    "displaytext",
					    "expires",
					    "name",
					    "response",
					    "signature",
					    "signatureversion",
					    "serviceofferingdetails" };
	const char *key;
	json_t *value;

	if (check_strings(parameters, "parameters", PARAMETERS_MAX, err) < 0)
		return -1;
	json_object_foreach ((json_t *)parameters, key, value) {
		bool good = *key && key[strspn(key, "abcdefghijklmnopqrstuvwxyz")] == '\0';

		for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
			good = good && strcmp(key, ours[i]) != 0;
		if (!good)
			return vgpu_error_set(err, EINVAL,
					      "parameters: \"%s\" is none that can be given", key);
	}
	return 0;
}

static int check_details(const json_t *details, struct vgpu_error **err)
{
	VGPU_AUTO_JSON json_t *values = NULL;
	const char *key;
	json_t *value;

	if (check_strings(details, "details", DETAILS_MAX, err) < 0)
		return -1;
	json_object_foreach ((json_t *)details, key, value)
		if (strncmp(key, OFFERING_PREFIX, PREFIX_LENGTH) != 0)
			return vgpu_error_set(
				err, EINVAL, "details: \"%s\" does not begin with " OFFERING_PREFIX,
				key);
	values = offering_values(details, err);
	return values ? 0 : -1;
}

static int check_offering(const json_t *offering, struct vgpu_error **err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(offering))
		return vgpu_error_set(err, EINVAL, "it is no object");
	json_object_foreach ((json_t *)offering, key, value)
		if (strcmp(key, "name") != 0 && strcmp(key, "displaytext") != 0 &&
		    strcmp(key, "parameters") != 0 && strcmp(key, "details") != 0)
			return vgpu_error_set(err, EINVAL, "unknown key \"%s\"", key);
	if (!cs_text(offering, "name") ||
	    (json_object_get(offering, "displaytext") && !cs_text(offering, "displaytext")))
		return vgpu_error_set(err, EINVAL,
				      "name, and displaytext where given, must be texts");
	if (check_parameters(json_object_get(offering, "parameters"), err) < 0)
		return -1;
	return check_details(json_object_get(offering, "details"), err);
}

static bool named_before(const json_t *offerings, size_t index)
{
	const char *name = cs_text(json_array_get(offerings, index), "name");

	for (size_t i = 0; i < index; i++)
		if (strcmp(cs_text(json_array_get(offerings, i), "name"), name) == 0)
			return true;
	return false;
}

json_t *offerings_read(const char *text, size_t length, struct vgpu_error **err)
{
	json_error_t problem;
	VGPU_AUTO_JSON json_t *file = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
	json_t *offerings = json_object_get(file, "offerings");
	json_t *offering;
	size_t i;

	if (!file) {
		vgpu_error_set(err, EINVAL, "not valid JSON: line %d: %s", problem.line,
			       problem.text);
		return NULL;
	}
	if (json_object_size(file) != 1 || json_array_size(offerings) == 0 ||
	    json_array_size(offerings) > OFFERINGS_MAX) {
		vgpu_error_set(err, EINVAL,
			       "it must be {\"offerings\": [...]}, with 1 to %d of them",
			       OFFERINGS_MAX);
		return NULL;
	}
	json_array_foreach (offerings, i, offering) {
		if (check_offering(offering, err) == 0 && !named_before(offerings, i))
			continue;
		if (err && !*err)
			vgpu_error_set(err, EINVAL, "the name is another's, too");
		vgpu_error_prefix(err, "offering %zu", i + 1);
		return NULL;
	}
	return json_incref(offerings);
}

struct walk {
	struct offering_step step;
	int (*each)(void *opaque, const struct offering_step *step, struct vgpu_error **err);
	void *opaque;
};

static int take(const struct walk *walk, enum offering_step_kind kind, const char *name,
		const char *was, const char *is, struct vgpu_error **err)
{
	struct offering_step step = walk->step;

	step.kind = kind;
	step.name = name;
	step.was = was;
	step.is = is;
	return walk->each(walk->opaque, &step, err);
}

/* What CloudStack cannot change, where it shows it. */
static int compare_parameters(const struct walk *walk, const json_t *found, struct vgpu_error **err)
{
	json_t *parameters = json_object_get(walk->step.wanted, "parameters");
	const char *key;
	json_t *value;

	json_object_foreach (parameters, key, value) {
		const json_t *shown = json_object_get(found, key);
		const char *is = json_string_value(value);
		char number[24] = "";
		const char *was = json_is_integer(shown) ? number : json_string_value(shown);
		int status;

		snprintf(number, sizeof(number), "%" PRId64, (int64_t)json_integer_value(shown));
		if (!was || strcmp(was, is) == 0)
			continue;
		status = take(walk, OFFERING_DIFFERS, key, was, is, err);
		if (status != 0)
			return status;
	}
	return 0;
}

static int compare_details(const struct walk *walk, const json_t *found, struct vgpu_error **err)
{
	json_t *wanted = json_object_get(walk->step.wanted, "details");
	json_t *there = json_object_get(found, "serviceofferingdetails");
	const char *key;
	json_t *value;
	int status = 0;

	json_object_foreach (wanted, key, value) {
		const char *was = json_string_value(json_object_get(there, key));

		if (status == 0 && (!was || strcmp(was, json_string_value(value)) != 0))
			status = take(walk, OFFERING_SET, key, was, json_string_value(value), err);
	}
	json_object_foreach (there, key, value)
		if (status == 0 && strncmp(key, OFFERING_PREFIX, PREFIX_LENGTH) == 0 &&
		    !json_object_get(wanted, key))
			status = take(walk, OFFERING_REMOVE, key, json_string_value(value), NULL,
				      err);
	return status;
}

int offerings_plan(const json_t *wanted, const json_t *there,
		   int (*each)(void *opaque, const struct offering_step *step,
			       struct vgpu_error **err),
		   void *opaque, struct vgpu_error **err)
{
	struct walk walk = { .step.wanted = wanted, .each = each, .opaque = opaque };
	const char *name = cs_text(wanted, "name");
	const json_t *found = NULL;
	int status;
	json_t *item;
	size_t i;

	json_array_foreach ((json_t *)there, i, item) {
		const char *other = cs_text(item, "name");

		if (!other || strcmp(other, name) != 0)
			continue;
		if (found)
			return vgpu_error_set(err, EEXIST,
					      "CloudStack has several service offerings \"%s\"",
					      name);
		found = item;
	}
	if (!found)
		return take(&walk, OFFERING_CREATE, NULL, NULL, NULL, err);
	walk.step.id = cs_text(found, "id");
	if (!walk.step.id)
		return vgpu_error_set(err, EPROTO, "the service offering \"%s\" has no id", name);
	status = compare_parameters(&walk, found, err);
	return status != 0 ? status : compare_details(&walk, found, err);
}
