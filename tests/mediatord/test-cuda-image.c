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

#define CC_90 (9u << 16)

static struct cuda_image chosen;
static cuda_error error;

/* With memory that ends where the image does, for the sanitizers to see. */
static const char *check(const void *image, size_t bytes)
{
	const char *reason = NULL;
	void *copy = malloc(bytes ? bytes : 1);

	assert_non_null(copy);
	memcpy(copy, image, bytes);
	error = cuda_image_choose(copy, bytes, CC_90, &chosen, &reason);
	if (error)
		assert_non_null(reason);
	else
		reason = NULL;
	/* From where in the image; what it points to is not looked at. */
	chosen.data = (const void *)((uintptr_t)chosen.data - (uintptr_t)copy);
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
	assert_int_equal(chosen.form, CUDA_IMAGE_PTX);
	assert_int_equal(chosen.bytes, sizeof(text) - 1);
	assert_null(check(text, sizeof(text))); /* with its zero byte */
	assert_int_equal(chosen.bytes, sizeof(text) - 1);
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

struct cubin {
	Elf64_Ehdr header;
	Elf64_Shdr sections[3];
	Elf64_Phdr segments[2];
	uint8_t code[128];
};

static struct cubin cubin(void)
{
	struct cubin image = {
		.header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			    .e_type = ET_EXEC,
			    .e_machine = EM_CUDA,
			    .e_shoff = offsetof(struct cubin, sections),
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 3,
			    .e_phoff = offsetof(struct cubin, segments),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2 },
		.sections = { { .sh_type = SHT_NULL },
			      { .sh_type = SHT_PROGBITS,
				.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
				.sh_offset = offsetof(struct cubin, code),
				.sh_addralign = 128,
				.sh_size = 128 },
			      { .sh_type = SHT_NOBITS,
				.sh_flags = SHF_ALLOC | SHF_WRITE,
				.sh_offset = 1u << 30,
				.sh_size = 1000000 } },
		.segments = { { .p_type = PT_LOAD,
				.p_offset = offsetof(struct cubin, code),
				.p_filesz = 128,
				.p_memsz = 128 },
			      { .p_type = PT_LOAD, .p_memsz = 1000000 } },
	};

	return image;
}

static void a_cubin_says_what_it_takes(void **state)
{
	struct cubin image = cubin();

	(void)state;
	assert_null(check(&image, sizeof(image)));
	assert_int_equal(chosen.form, CUDA_IMAGE_CUBIN);
	/* With what may lie between its sections. */
	assert_int_equal(chosen.loaded_bytes, 1000128 + 127);
	/* The driver may go by either. */
	image.segments[1].p_memsz = 5000000;
	assert_null(check(&image, sizeof(image)));
	assert_int_equal(chosen.loaded_bytes, 5000128);
	image.header.e_shnum = 0;
	image.header.e_shoff = 0;
	assert_null(check(&image, sizeof(image)));
	assert_int_equal(chosen.loaded_bytes, 5000128);
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
	WITH(header.e_phentsize = 8, "unknown size");
	WITH(header.e_phnum = UINT16_MAX, "headers are not within");
	WITH(header.e_phoff = UINT64_MAX, "headers are not within");
	WITH(header.e_type = ET_REL, "object file");
	WITH(header.e_shnum = 0, "too many sections");
	WITH(sections[1].sh_addralign = 3, "alignment");
	WITH(sections[1].sh_addralign = UINT64_C(1) << 63, "alignment");
	WITH(segments[0].p_offset = sizeof(image), "segment is not within");
	WITH(segments[0].p_filesz = UINT64_MAX, "segment is not within");
	WITH(segments[1].p_memsz = UINT64_MAX, "larger than any memory");
	WITH(header.e_shstrndx = 3, "no section");
	WITH(sections[1].sh_offset = sizeof(image), "section is not within");
	WITH(sections[1].sh_offset = UINT64_MAX, "section is not within");
	WITH(sections[1].sh_size = UINT64_MAX, "larger than any memory");
	WITH(sections[2].sh_size = UINT64_MAX, "larger than any memory");
#undef WITH
}

/* A cubin with symbols: that of nothing, one that is defined, and one that is not. */
struct cubin_with_symbols {
	struct cubin cubin;
	Elf64_Shdr sections[5];
	Elf64_Sym symbols[3];
	char names[64];
};

static struct cubin_with_symbols with_symbol(const char *name)
{
	struct cubin_with_symbols image = {
		.cubin = cubin(),
		.sections = { [3] = { .sh_type = SHT_SYMTAB,
				      .sh_offset = offsetof(struct cubin_with_symbols, symbols),
				      .sh_size = sizeof(image.symbols),
				      .sh_link = 4,
				      .sh_entsize = sizeof(Elf64_Sym) },
			      [4] = { .sh_type = SHT_STRTAB,
				      .sh_offset = offsetof(struct cubin_with_symbols, names),
				      .sh_size = sizeof(image.names) } },
		.symbols = { [1] = { .st_name = 1, .st_shndx = 1 }, [2] = { .st_name = 8 } },
		.names = "\0kernel",
	};

	memcpy(image.sections, image.cubin.sections, sizeof(image.cubin.sections));
	image.cubin.header.e_shoff = offsetof(struct cubin_with_symbols, sections);
	image.cubin.header.e_shnum = 5;
	strncpy(image.names + 8, name, sizeof(image.names) - 9);
	return image;
}

static void a_cubin_says_what_it_calls(void **state)
{
	static const char *const known[] = { "vprintf", "malloc", "free", "__assertfail" };
	static const char *const unknown[] = { "__cuda_syscall_cnpv2LaunchDeviceV2", "printf",
					       "f" };
	struct cubin_with_symbols image = with_symbol("");

	(void)state;
	assert_null(check(&image, sizeof(image)));
	assert_false(chosen.calls_driver);
	image = with_symbol(".nv.reservedSmem.offset0");
	assert_null(check(&image, sizeof(image)));
	assert_false(chosen.calls_driver);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		image = with_symbol(known[i]);
		assert_null(check(&image, sizeof(image)));
		assert_true(chosen.calls_driver);
		image.sections[3].sh_type = SHT_DYNSYM;
		image.symbols[2].st_shndx = SHN_XINDEX;
		assert_null(check(&image, sizeof(image)));
		assert_true(chosen.calls_driver);
	}
	/* Whatever it says of itself. */
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		image = with_symbol(unknown[i]);
		image.symbols[2].st_info = STT_OBJECT;
		assert_refused(&image, sizeof(image), "start kernels");
		assert_int_equal(error, CUDA_ERROR_NOT_SUPPORTED);
		image.symbols[2].st_shndx = 1;
		assert_null(check(&image, sizeof(image)));
		assert_false(chosen.calls_driver);
	}
}

static void symbols_and_names_are_within(void **state)
{
	struct cubin_with_symbols image;

	(void)state;
#define WITH(change, word)                                                                         \
	do {                                                                                       \
		image = with_symbol("malloc");                                                     \
		image.change;                                                                      \
		assert_refused(&image, sizeof(image), word);                                       \
	} while (0)
	WITH(sections[3].sh_entsize = 16, "unknown size");
	WITH(sections[3].sh_size = sizeof(image.symbols) - 1, "unknown size");
	WITH(sections[3].sh_offset = sizeof(image), "section is not within");
	WITH(sections[3].sh_link = 5, "names are in no section");
	WITH(sections[3].sh_link = 2, "names are in no section");
	WITH(sections[4].sh_size = 0, "names are in no section");
	WITH(sections[4].sh_offset = UINT64_MAX, "section is not within");
	WITH(names[sizeof(image.names) - 1] = 'x', "no end");
	WITH(symbols[2].st_name = sizeof(image.names), "not within the names");
#undef WITH
}

enum {
	PTX = 1,
	CUBIN = 2,
	COMPRESSED = 0x8000,
	THIS_ONLY = 0x100000
};

/* A fatbin of up to four members, each of a header and the contents of a cubin or less. */
struct fatbin {
	uint8_t header[16];
	struct {
		uint16_t kind, version;
		uint32_t header_bytes;
		uint64_t bytes;
		uint32_t compressed_bytes, reserved[2];
		uint32_t architecture;
		uint64_t reserved2;
		uint64_t flags;
		uint64_t reserved3[2];
		struct cubin contents;
	} members[4];
	uint32_t count;
};

static void add(struct fatbin *fatbin, uint16_t kind, uint32_t architecture, uint64_t flags)
{
	uint32_t i = fatbin->count++;

	memset(&fatbin->members[i], 0, sizeof(fatbin->members[i]));
	fatbin->members[i].kind = kind;
	fatbin->members[i].header_bytes = 64;
	fatbin->members[i].bytes = sizeof(struct cubin);
	fatbin->members[i].architecture = architecture;
	fatbin->members[i].flags = flags;
	if (kind == CUBIN)
		fatbin->members[i].contents = cubin();
	cuda_image_fatbin_header(fatbin->header, fatbin->count * sizeof(fatbin->members[0]));
}

static const char *check_fatbin(const struct fatbin *fatbin)
{
	return check(fatbin, sizeof(fatbin->header) + fatbin->count * sizeof(fatbin->members[0]));
}

/* Which member was chosen. */
static int member(void)
{
	uint64_t at = (uintptr_t)chosen.data - offsetof(struct fatbin, members);

	return (int)(at / sizeof(((struct fatbin *)NULL)->members[0]));
}

static void a_fatbin_gives_what_fits_the_gpu_best(void **state)
{
	struct fatbin fatbin = { .count = 0 };

	(void)state;
	add(&fatbin, PTX, 90, COMPRESSED);
	assert_null(check_fatbin(&fatbin));
	assert_int_equal(chosen.form, CUDA_IMAGE_FATBIN_MEMBER);
	assert_int_equal((uintptr_t)chosen.data, 16);
	assert_int_equal(chosen.bytes, sizeof(fatbin.members[0]));
	add(&fatbin, PTX, 75, 0);
	assert_null(check_fatbin(&fatbin));
	assert_int_equal(member(), 0);
	/* A cubin need not be compiled; those of other GPUs do not fit. */
	add(&fatbin, CUBIN, 80, 0);
	assert_null(check_fatbin(&fatbin));
	assert_int_equal(member(), 0);
	add(&fatbin, CUBIN, 90, 0);
	assert_null(check_fatbin(&fatbin));
	assert_int_equal(chosen.form, CUDA_IMAGE_CUBIN);
	assert_int_equal(chosen.loaded_bytes, 1000128 + 127);
	assert_int_equal(member(), 3);
	/* One that cannot be counted does neither. */
	fatbin.members[3].flags = COMPRESSED;
	assert_null(check_fatbin(&fatbin));
	assert_int_equal(member(), 0);
	fatbin.count = 0;
	add(&fatbin, CUBIN, 90, COMPRESSED);
	assert_non_null(strstr(check_fatbin(&fatbin), "compressed"));
	assert_int_equal(error, CUDA_ERROR_NOT_SUPPORTED);
	fatbin.count = 0;
	add(&fatbin, CUBIN, 86, 0);
	add(&fatbin, PTX, 100, 0);
	add(&fatbin, 77, 90, 0);
	assert_non_null(strstr(check_fatbin(&fatbin), "nothing for this GPU"));
	assert_int_equal(error, CUDA_ERROR_NO_BINARY_FOR_GPU);
	/* sm_86 on a GPU of 8.9, and not where it is for that one alone. */
	assert_int_equal(cuda_image_choose(&fatbin, 16 + sizeof(fatbin.members[0]), 8 << 16 | 9,
					   &chosen, &(const char *){ NULL }),
			 CUDA_ERROR_INVALID_IMAGE);
	cuda_image_fatbin_header(fatbin.header, sizeof(fatbin.members[0]));
	assert_int_equal(cuda_image_choose(&fatbin, 16 + sizeof(fatbin.members[0]), 8 << 16 | 9,
					   &chosen, &(const char *){ NULL }),
			 0);
	fatbin.members[0].flags = THIS_ONLY;
	assert_int_equal(cuda_image_choose(&fatbin, 16 + sizeof(fatbin.members[0]), 8 << 16 | 9,
					   &chosen, &(const char *){ NULL }),
			 CUDA_ERROR_NO_BINARY_FOR_GPU);
}

static void every_part_of_a_fatbin_is_within(void **state)
{
	struct fatbin whole = { .count = 0 }, fatbin;

	(void)state;
	add(&whole, PTX, 90, COMPRESSED);
	add(&whole, CUBIN, 90, 0);
	for (size_t bytes = 4; bytes < 16 + 2 * sizeof(whole.members[0]); bytes++)
		assert_non_null(check(&whole, bytes));
#define WITH(change, word)                                                                         \
	do {                                                                                       \
		fatbin = whole;                                                                    \
		fatbin.change;                                                                     \
		assert_refused(&fatbin, 16 + 2 * sizeof(fatbin.members[0]), word);                 \
	} while (0)
	WITH(header[6] = 8, "longer than the image"); /* a header of 8 bytes */
	WITH(header[15] = 0x80, "longer than the image");
	WITH(members[0].header_bytes = 56, "longer than it");
	WITH(members[0].header_bytes = UINT32_MAX, "longer than it");
	WITH(members[0].bytes = UINT64_MAX, "longer than it");
	WITH(members[1].bytes += 8, "longer than it");
	WITH(members[1].bytes -= 8, "ends within its header");
	WITH(members[0].bytes += 4, "multiple of 8");
	WITH(members[0].header_bytes = 68, "multiple of 8");
	WITH(members[0].compressed_bytes = UINT32_MAX, "longer than it");
	WITH(members[1].contents.header.e_ident[1] = 'e', "a cubin of the fatbin is none");
	WITH(members[1].contents.header.e_shoff = UINT64_MAX, "headers are not within");
#undef WITH
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ptx_is_text),
		cmocka_unit_test(a_wrapper_holds_a_pointer),
		cmocka_unit_test(a_cubin_says_what_it_takes),
		cmocka_unit_test(every_part_of_a_cubin_is_within),
		cmocka_unit_test(a_cubin_says_what_it_calls),
		cmocka_unit_test(symbols_and_names_are_within),
		cmocka_unit_test(a_fatbin_gives_what_fits_the_gpu_best),
		cmocka_unit_test(every_part_of_a_fatbin_is_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
