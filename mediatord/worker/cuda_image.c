/* SPDX-License-Identifier: Apache-2.0 */
#include "mediatord/worker/cuda_image.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "common/bytes.h"

/*
 * A fatbin's outer header, as the CUDA Toolkit's fatbinary_section.h describes it:
 * u32 magic, u16 version, u16 bytes of this header, u64 bytes of all that follows it.
 */
#define FATBIN_MAGIC   UINT32_C(0xba55ed50)
#define FATBIN_VERSION 1u

/* Of the struct that nvcc puts into programs: it holds the address of the fatbin. */
#define FATBIN_WRAPPER_MAGIC UINT32_C(0x466243b1)

/*
 * A member's header, as nvcc 11 to 13 write it, read from what they made: u16 kind, u16 version,
 * u32 bytes of this header, u64 bytes of what follows it, and at the offsets below u32 bytes of the
 * compressed contents, u32 of the GPU (10 * major + minor) and u64 of flags.
 */
#define MEMBER_HEADER_BYTES	64u
#define MEMBER_COMPRESSED_BYTES 16u
#define MEMBER_ARCHITECTURE	28u
#define MEMBER_FLAGS		40u
#define MEMBER_PTX		1u
#define MEMBER_CUBIN		2u
#define MEMBER_FLAGS_COMPRESSED UINT64_C(0xf000)   /* LZ4, zstd, and what may come */
#define MEMBER_FLAG_THIS_ONLY	UINT64_C(0x100000) /* as sm_90a: for no later GPU */

#define SECTION_ALIGN_MAX (UINT64_C(2) << 20)
/* Any GPU's memory is smaller; so sums of this many cannot overflow. */
#define LOADED_BYTES_MAX (UINT64_C(1) << 44)

static cuda_error refuse(const char **reason, const char *text)
{
	*reason = text;
	return CUDA_ERROR_INVALID_IMAGE;
}

static cuda_error sum_sections(const uint8_t *image, uint64_t bytes, const Elf64_Ehdr *header,
			       uint64_t *sum, const char **reason)
{
	for (uint64_t i = 0; i < header->e_shnum; i++) {
		Elf64_Shdr section;
		uint64_t align;

		memcpy(&section, image + header->e_shoff + i * sizeof(section), sizeof(section));
		align = section.sh_addralign ? section.sh_addralign : 1;
		if (section.sh_size > LOADED_BYTES_MAX)
			return refuse(reason, "a section is larger than any memory");
		if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL &&
		    !vgpu_range_ok(section.sh_offset, section.sh_size, bytes))
			return refuse(reason, "a section is not within the image");
		if (!(section.sh_flags & SHF_ALLOC))
			continue;
		if (align > SECTION_ALIGN_MAX || (align & (align - 1)))
			return refuse(reason, "a section's alignment is none");
		/* Wherever the section before it ends. */
		*sum += section.sh_size + align - 1;
	}
	return CUDA_ERROR_NONE;
}

static cuda_error sum_segments(const uint8_t *image, uint64_t bytes, const Elf64_Ehdr *header,
			       uint64_t *sum, const char **reason)
{
	for (uint64_t i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;

		memcpy(&segment, image + header->e_phoff + i * sizeof(segment), sizeof(segment));
		if (segment.p_memsz > LOADED_BYTES_MAX)
			return refuse(reason, "a segment is larger than any memory");
		if (!vgpu_range_ok(segment.p_offset, segment.p_filesz, bytes))
			return refuse(reason, "a segment is not within the image");
		if (segment.p_type == PT_LOAD)
			*sum += segment.p_memsz;
	}
	return CUDA_ERROR_NONE;
}

/*
 * A symbol that the driver has to supply. It has more functions than these four, which PTX's
 * calling convention names; others start kernels, whose local memory no launch of ours says
 * anything of.
 */
static cuda_error check_undefined(const char *name, bool *calls_driver, const char **reason)
{
	static const char *const known[] = { "vprintf", "malloc", "free", "__assertfail" };

	if (!*name || strncmp(name, ".nv.", 4) == 0)
		return CUDA_ERROR_NONE;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(name, known[i]) == 0) {
			*calls_driver = true;
			return CUDA_ERROR_NONE;
		}
	}
	*reason = "its kernels start kernels, or need other functions that are not in it: what it "
		  "takes cannot be told";
	return CUDA_ERROR_NOT_SUPPORTED;
}

static cuda_error check_symbols(const uint8_t *image, uint64_t bytes, const Elf64_Ehdr *header,
				const Elf64_Shdr *table, bool *calls_driver, const char **reason)
{
	cuda_error error = CUDA_ERROR_NONE;
	const char *texts;
	Elf64_Shdr names;
	Elf64_Sym symbol;

	if (table->sh_entsize != sizeof(symbol) || table->sh_size % sizeof(symbol))
		return refuse(reason, "its symbols have an unknown size");
	if (table->sh_link >= header->e_shnum)
		return refuse(reason, "its symbols' names are in no section");
	memcpy(&names, image + header->e_shoff + table->sh_link * sizeof(names), sizeof(names));
	if (names.sh_type != SHT_STRTAB || !names.sh_size ||
	    !vgpu_range_ok(names.sh_offset, names.sh_size, bytes))
		return refuse(reason, "its symbols' names are in no section");
	texts = (const char *)image + names.sh_offset;
	if (texts[names.sh_size - 1])
		return refuse(reason, "the last of its symbols' names has no end");
	for (uint64_t at = 0; !error && at < table->sh_size; at += sizeof(symbol)) {
		memcpy(&symbol, image + table->sh_offset + at, sizeof(symbol));
		/* An index that is elsewhere may be that of no section, too. */
		if (symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_XINDEX)
			continue;
		if (symbol.st_name >= names.sh_size)
			return refuse(reason, "a symbol's name is not within the names");
		error = check_undefined(texts + symbol.st_name, calls_driver, reason);
	}
	return error;
}

/* After sum_sections(), which saw that sections are within the image. */
static cuda_error check_symbol_tables(const uint8_t *image, uint64_t bytes,
				      const Elf64_Ehdr *header, bool *calls_driver,
				      const char **reason)
{
	cuda_error error = CUDA_ERROR_NONE;
	Elf64_Shdr section;

	for (uint64_t i = 0; !error && i < header->e_shnum; i++) {
		memcpy(&section, image + header->e_shoff + i * sizeof(section), sizeof(section));
		if (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM)
			error = check_symbols(image, bytes, header, &section, calls_driver, reason);
	}
	return error;
}

/* The driver may go by its sections or by its segments: what is more counts. */
static cuda_error check_cubin(const uint8_t *image, uint64_t bytes, struct cuda_image *chosen,
			      const char **reason)
{
	uint64_t sections = 0, segments = 0;
	bool calls_driver = false;
	Elf64_Ehdr header;
	cuda_error error;

	if (bytes < sizeof(header))
		return refuse(reason, "it ends within its ELF header");
	memcpy(&header, image, sizeof(header));
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_CUDA)
		return refuse(reason, "it is an ELF file, but none for a GPU");
	/* An object's common variables are in no section yet. */
	if (header.e_type != ET_EXEC)
		return refuse(reason, "it is an object file: link it first");
	if ((header.e_shnum && header.e_shentsize != sizeof(Elf64_Shdr)) ||
	    (header.e_phnum && header.e_phentsize != sizeof(Elf64_Phdr)))
		return refuse(reason, "its ELF headers have an unknown size");
	if (!vgpu_range_ok(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr), bytes) ||
	    !vgpu_range_ok(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr), bytes))
		return refuse(reason, "its ELF headers are not within the image");
	/* 0 sections, and the number elsewhere: that is for more than 65279. */
	if (header.e_shoff && !header.e_shnum)
		return refuse(reason, "it has too many sections");
	if (header.e_shnum && header.e_shstrndx >= header.e_shnum)
		return refuse(reason, "its section names are in no section");
	error = sum_sections(image, bytes, &header, &sections, reason);
	if (!error)
		error = sum_segments(image, bytes, &header, &segments, reason);
	if (!error)
		error = check_symbol_tables(image, bytes, &header, &calls_driver, reason);
	*chosen = (struct cuda_image){ .form = CUDA_IMAGE_CUBIN,
				       .data = image,
				       .bytes = bytes,
				       .loaded_bytes = sections > segments ? sections : segments,
				       .calls_driver = calls_driver };
	return error;
}

/* A member of a fatbin, whose header and contents are within it. */
struct member {
	const uint8_t *start;
	uint32_t header_bytes;
	uint64_t bytes; /* of what follows the header */
	uint16_t kind;
	uint32_t architecture; /* 10 * major + minor */
	uint64_t flags;
};

/* The member at image + at, of a fatbin that ends at `end`. */
static cuda_error read_member(const uint8_t *image, uint64_t at, uint64_t end,
			      struct member *member, const char **reason)
{
	const uint8_t *start = image + at;

	if (end - at < MEMBER_HEADER_BYTES)
		return refuse(reason, "a member of the fatbin ends within its header");
	*member = (struct member){
		.start = start,
		.kind = (uint16_t)vgpu_load32(start),
		.header_bytes = vgpu_load32(start + 4),
		.bytes = vgpu_load64(start + 8),
		.architecture = vgpu_load32(start + MEMBER_ARCHITECTURE),
		.flags = vgpu_load64(start + MEMBER_FLAGS),
	};
	if (member->header_bytes < MEMBER_HEADER_BYTES || member->header_bytes > end - at ||
	    member->bytes > end - at - member->header_bytes)
		return refuse(reason, "a member of the fatbin is longer than it");
	if (member->flags & MEMBER_FLAGS_COMPRESSED &&
	    vgpu_load32(start + MEMBER_COMPRESSED_BYTES) > member->bytes)
		return refuse(reason, "a member of the fatbin is longer than it");
	/* The driver reads it in words. */
	if (member->header_bytes % 8 != 0 || member->bytes % 8 != 0)
		return refuse(reason, "a member of the fatbin is not at a multiple of 8");
	return CUDA_ERROR_NONE;
}

/* Whether the GPU can use it, going by what its header says. */
static bool fits(const struct member *member, uint32_t architecture)
{
	if (member->architecture > architecture ||
	    (member->flags & MEMBER_FLAG_THIS_ONLY && member->architecture != architecture))
		return false;
	if (member->kind == MEMBER_CUBIN)
		return member->architecture / 10 == architecture / 10 &&
		       !(member->flags & MEMBER_FLAGS_COMPRESSED);
	return member->kind == MEMBER_PTX;
}

/* The better of two that fit: what need not be compiled, then what is made for the newer GPU. */
static bool better(const struct member *member, const struct member *than)
{
	if (!than->start || member->kind != than->kind)
		return !than->start || member->kind == MEMBER_CUBIN;
	return member->architecture > than->architecture;
}

static cuda_error choose_member(const struct member *member, struct cuda_image *chosen,
				const char **reason)
{
	const uint8_t *contents = member->start + member->header_bytes;

	if (member->kind == MEMBER_PTX) {
		*chosen = (struct cuda_image){ .form = CUDA_IMAGE_FATBIN_MEMBER,
					       .data = member->start,
					       .bytes = member->header_bytes + member->bytes };
		return CUDA_ERROR_NONE;
	}
	if (member->bytes < SELFMAG || memcmp(contents, ELFMAG, SELFMAG) != 0)
		return refuse(reason, "a cubin of the fatbin is none");
	return check_cubin(contents, member->bytes, chosen, reason);
}

static cuda_error check_fatbin(const uint8_t *image, uint64_t bytes, uint32_t architecture,
			       struct cuda_image *chosen, const char **reason)
{
	struct member best = { 0 }, member;
	bool compressed = false;
	uint64_t at, end;

	if (bytes < CUDA_FATBIN_HEADER_BYTES)
		return refuse(reason, "it ends within its fatbin header");
	at = vgpu_load32(image + 4) >> 16;
	if (at < CUDA_FATBIN_HEADER_BYTES || at > bytes || vgpu_load64(image + 8) > bytes - at)
		return refuse(reason, "it is a fatbin that is longer than the image");
	for (end = at + vgpu_load64(image + 8); at < end;
	     at += member.header_bytes + member.bytes) {
		cuda_error error = read_member(image, at, end, &member, reason);

		if (error)
			return error;
		if (member.kind == MEMBER_CUBIN && member.architecture / 10 == architecture / 10)
			compressed |= (member.flags & MEMBER_FLAGS_COMPRESSED) != 0;
		if (fits(&member, architecture) && better(&member, &best))
			best = member;
	}
	if (best.start)
		return choose_member(&best, chosen, reason);
	if (compressed) {
		*reason = "its cubin for this GPU is compressed: what it takes cannot be told; "
			  "build it without --compress-mode=size and -compress-all";
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	*reason = "it is a fatbin with nothing for this GPU";
	return CUDA_ERROR_NO_BINARY_FOR_GPU;
}

void cuda_image_fatbin_header(uint8_t header[CUDA_FATBIN_HEADER_BYTES], uint64_t member_bytes)
{
	vgpu_store32(header, FATBIN_MAGIC);
	vgpu_store32(header + 4, FATBIN_VERSION | CUDA_FATBIN_HEADER_BYTES << 16);
	vgpu_store64(header + 8, member_bytes);
}

cuda_error cuda_image_choose(const void *image, uint64_t bytes, uint32_t compute_capability,
			     struct cuda_image *chosen, const char **reason)
{
	uint32_t magic = bytes >= 4 ? vgpu_load32(image) : 0;
	uint32_t architecture = (compute_capability >> 16) * 10 + (compute_capability & 0xffff);

	if (magic == FATBIN_WRAPPER_MAGIC)
		return refuse(reason, "it is a wrapper with a fatbin's address, not a fatbin");
	if (magic == FATBIN_MAGIC)
		return check_fatbin(image, bytes, architecture, chosen, reason);
	if (bytes >= SELFMAG && memcmp(image, ELFMAG, SELFMAG) == 0)
		return check_cubin(image, bytes, chosen, reason);
	/* One zero byte at its end is what many programs send with their PTX. */
	if (bytes && ((const uint8_t *)image)[bytes - 1] == 0)
		bytes--;
	if (memchr(image, 0, bytes) || !memmem(image, bytes, ".version", 8))
		return refuse(reason, "it is no PTX, cubin or fatbin");
	*chosen = (struct cuda_image){ .form = CUDA_IMAGE_PTX, .data = image, .bytes = bytes };
	return CUDA_ERROR_NONE;
}
