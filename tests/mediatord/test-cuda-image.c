/* SPDX-License-Identifier: Apache-2.0 */
/* What is no module, or says that it is longer than it is, never gets to the driver. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mediatord/worker/cuda_image.h"

static enum cuda_image_form form;
static uint64_t loaded;

/* With memory that ends where the image does, for the sanitizers to see. */
static const char *check(const void *image, size_t bytes)
{
	const char *reason = NULL;
	void *copy = malloc(bytes ? bytes : 1);

	assert_non_null(copy);
	memcpy(copy, image, bytes);
	if (cuda_image_check(copy, bytes, &form, &loaded, &reason) < 0)
		assert_non_null(reason);
	else
		reason = NULL;
	free(copy);
	return reason;
}

static void assert_refused(const void *image, size_t bytes, const char *word)
{
	const char *reason = check(image, bytes);

	if (!reason || !strstr(reason, word))
		fail_msg("\"%s\", and not \"%s\"", reason ? reason : "accepted", word);
}

static void ptx_is_text(void **state)
{
	const char text[] = "//\n.version 8.0\n.target sm_75\n";
	const char hole[] = ".version 8.0\n\0.target sm_75\n";

	(void)state;
	assert_null(check(text, sizeof(text) - 1));
	assert_int_equal(form, CUDA_IMAGE_PTX);
	assert_null(check(text, sizeof(text))); /* with its zero byte */
	assert_refused(hole, sizeof(hole) - 1, "no PTX");
	assert_refused("", 0, "no PTX");
	assert_refused("\0\0\0\0", 4, "no PTX");
	assert_refused("hello", 5, "no PTX");
}

static void a_wrapper_holds_a_pointer(void **state)
{
	/* magic, version, the address of a fatbin, a file's name */
	const uint64_t wrapper[3] = { UINT64_C(0x1466243b1), 0x7f0000000000, 0 };

	(void)state;
	assert_refused(wrapper, sizeof(wrapper), "address");
}

static void a_fatbin_says_its_length(void **state)
{
	uint8_t image[64] = { 0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0, 48 };

	(void)state;
	assert_null(check(image, sizeof(image)));
	assert_int_equal(form, CUDA_IMAGE_FATBIN);
	assert_refused(image, 63, "longer");
	assert_refused(image, 15, "header");
	image[6] = 8; /* a header of 8 bytes */
	assert_refused(image, sizeof(image), "longer");
	image[6] = 65;
	assert_refused(image, sizeof(image), "longer");
	image[6] = 16;
	memset(image + 8, 0xff, 8);
	assert_refused(image, sizeof(image), "longer");
}

struct cubin {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3];
	uint8_t code[128];
};

static struct cubin cubin(void)
{
	struct cubin image = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			    .e_machine = EM_CUDA,
			    .e_shoff = offsetof(struct cubin, sections),
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 3 },
		.sections = { { .sh_type = SHT_NULL },
			      { .sh_type = SHT_PROGBITS,
				.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
				.sh_offset = offsetof(struct cubin, code),
				.sh_size = 128 },
			      { .sh_type = SHT_NOBITS,
				.sh_flags = SHF_ALLOC | SHF_WRITE,
				.sh_offset = 1u << 30,
				.sh_size = 1000000 } },
	};

	return image;
}

static void a_cubin_says_what_it_takes(void **state)
{
	const struct cubin image = cubin();

	(void)state;
	assert_null(check(&image, sizeof(image)));
	assert_int_equal(form, CUDA_IMAGE_CUBIN);
	assert_int_equal(loaded, 1000128);
}

static void every_part_of_a_cubin_is_within(void **state)
{
	const struct cubin whole = cubin();
	struct cubin image;

	(void)state;
	for (size_t bytes = 4; bytes < sizeof(whole); bytes++)
		assert_non_null(check(&whole, bytes));
#define WITH(change, word)                                                                         \
	do {                                                                                       \
		image = cubin();                                                                   \
		image.change;                                                                      \
		assert_refused(&image, sizeof(image), word);                                       \
	} while (0)
	WITH(header.e_machine = EM_X86_64, "none for a GPU");
	WITH(header.e_ident[EI_CLASS] = ELFCLASS32, "none for a GPU");
	WITH(header.e_shoff = UINT64_MAX, "headers are not within");
	WITH(header.e_shoff = UINT64_MAX - 64, "headers are not within");
	WITH(header.e_shnum = UINT16_MAX, "headers are not within");
	WITH(header.e_shentsize = 8, "unknown size");
	WITH(header.e_phnum = 1, "unknown size");
	WITH(header.e_shstrndx = 3, "no section");
	WITH(sections[1].sh_offset = sizeof(image), "section is not within");
	WITH(sections[1].sh_offset = UINT64_MAX, "section is not within");
	WITH(sections[1].sh_size = UINT64_MAX, "larger than any memory");
	WITH(sections[2].sh_size = UINT64_MAX, "larger than any memory");
#undef WITH
	image = cubin();
	image.header.e_phnum = 1;
	image.header.e_phentsize = sizeof(Elf64_Phdr);
	image.header.e_phoff = sizeof(image);
	assert_refused(&image, sizeof(image), "headers are not within");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ptx_is_text),
		cmocka_unit_test(a_wrapper_holds_a_pointer),
		cmocka_unit_test(a_fatbin_says_its_length),
		cmocka_unit_test(a_cubin_says_what_it_takes),
		cmocka_unit_test(every_part_of_a_cubin_is_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
