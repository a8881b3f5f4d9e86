/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/problem.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

json_t *problem_text_to_json(const char *text)
{
	json_t *json = json_string(text);
	VGPU_AUTO_FREE char *ascii = NULL;

	if (json)
		return json;
	ascii = strdup(text);
	for (char *c = ascii; c && *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	return ascii ? json_string(ascii) : NULL;
}

json_t *problem_to_json(unsigned int status, const char *detail, const char *field)
{
	json_t *problem = json_object();

	/* about:blank: the problem is no more than what the status says; RFC 9457, section 4.2.1.
	 */
	if (json_object_set_new(problem, "type", json_string("about:blank")) < 0 ||
	    json_object_set_new(problem, "title", json_string(MHD_get_reason_phrase_for(status))) <
		    0 ||
	    json_object_set_new(problem, "status", json_integer(status)) < 0 ||
	    json_object_set_new(problem, "detail", problem_text_to_json(detail)) < 0 ||
	    (field[0] && json_object_set_new(problem, "field", problem_text_to_json(field)) < 0)) {
		json_decref(problem);
		return NULL;
	}
	return problem;
}
