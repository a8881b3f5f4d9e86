/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the signed form of parameters: sign-form SECRET [NAME VALUE]... */
#include <stdio.h>

#include "cloudstack-plugin/sign.h"
#include "common/cleanup.h"

#define PARAMS_MAX 128

int main(int argc, char **argv)
{
	struct cs_param params[PARAMS_MAX];
	VGPU_AUTO_FREE char *form = NULL;
	size_t count = 0;

	if (argc < 2 || argc > 2 + 2 * PARAMS_MAX || argc % 2 != 0)
		return 2;
	for (int i = 2; i < argc; i += 2)
		params[count++] = (struct cs_param){ argv[i], argv[i + 1] };
	form = cs_sign(params, count, argv[1]);
	return !form || puts(form) == EOF;
}
